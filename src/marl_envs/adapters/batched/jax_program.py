"""Games of JaxMARL as two compiled programs: one resets them, one advances them."""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple, final

import jax
import jax.numpy as jnp

from marl_core.errors import UserError
from marl_envs.adapters.batched.config import TeamShape

#: The key under which JaxMARL gives the global state beside the agents' observations.
_WORLD = "world_state"


class Seen(NamedTuple):
    """What agents see in a game; of many games, with a leading axis E.

    Attributes:
        features: ``[N, O]``, zeros at the end for agents who see less than others.
        legal: ``[N, A]``; None: all actions always are.
        alive: ``[N]``.
        world: the library's own global state, ``[S]``; None: it has none.
    """

    features: jax.Array
    legal: jax.Array | None
    alive: jax.Array
    world: jax.Array | None


class Games(NamedTuple):
    """How far games are.

    Attributes:
        state: the library's.
        key: the randomness of each game, ``[E, 2]``.
        seen: what the agents see now.
    """

    state: Any
    key: jax.Array
    seen: Seen


class Outcome(NamedTuple):
    """What came of a step.

    Attributes:
        reward: of each agent, ``[E, N]``.
        done: whether the game is over, ``[E]``.
    """

    reward: jax.Array
    done: jax.Array


@final
class JaxProgram:
    """The programs for one environment of JaxMARL.

    Args:
        environment: the library's own.
        name: of the environment, for messages.
    """

    def __init__(self, environment: Any, name: str) -> None:
        self._environment = environment
        self._agents = list(environment.agents)
        self._counts = [self._count(agent, name) for agent in self._agents]
        self._actions = max(self._counts)
        self._gives_masks = self._has_masks(name)
        self.reset = jax.jit(jax.vmap(self._reset))
        self.reset_some = jax.jit(jax.vmap(self._reset_if))
        self.step = jax.jit(jax.vmap(self._step))

    def shape(self) -> TeamShape:
        """What the environment gives, found by tracing."""
        games = jax.eval_shape(self._reset, jax.ShapeDtypeStruct((), jnp.uint32))
        seen: Seen = games.seen
        return TeamShape(
            agents=len(self._agents),
            actions=self._actions,
            features=seen.features.shape[-1],
            masks=seen.legal is not None,
            state=None if seen.world is None else seen.world.shape[-1],
            max_steps=getattr(self._environment, "max_steps", None),
        )

    def _count(self, agent: str, name: str) -> int:
        space = self._environment.action_space(agent)
        count = getattr(space, "n", None)
        if count is None:
            kind = type(space).__name__
            raise UserError(
                f"'{name}': {agent} acts in a {kind}: only Discrete can be learnt here"
            )
        return int(count)

    def _has_masks(self, name: str) -> bool:
        """Some environments have no masks, and say so only when they are asked for them."""
        key = jax.ShapeDtypeStruct((2,), jnp.uint32)
        _, state = jax.eval_shape(self._environment.reset, key)
        try:
            jax.eval_shape(self._environment.get_avail_actions, state)
        except (NotImplementedError, AttributeError):
            return False
        return True

    def _reset(self, seed: jax.Array) -> Games:
        key, own = jax.random.split(jax.random.PRNGKey(seed))
        observation, state = self._environment.reset(own)
        alive = jnp.ones(len(self._agents), bool)
        games = Games(state, key, self._seen(observation, state, alive))
        return _with_types_of(games, games)

    def _reset_if(self, again: jax.Array, seed: jax.Array, games: Games) -> Games:
        fresh = self._reset(seed)
        return jax.tree.map(partial(jnp.where, again), fresh, games)

    def _step(self, actions: jax.Array, games: Games) -> tuple[Games, Outcome]:
        key, own = jax.random.split(games.key)
        chosen = self._legal_choice(actions, games.seen)
        observation, state, rewards, dones, _ = self._environment.step_env(
            own, games.state, dict(zip(self._agents, chosen, strict=True))
        )
        done = jnp.squeeze(dones["__all__"])
        left = jnp.stack([jnp.squeeze(dones[agent]) for agent in self._agents])
        # At the end some environments call everybody done, also those who have only been cut.
        alive = jnp.where(done & left.all(), games.seen.alive, ~left)
        alive = alive & games.seen.alive
        reward = [jnp.squeeze(rewards[agent]) for agent in self._agents]
        outcome = Outcome(jnp.stack(reward).astype(jnp.float32), done)
        after = Games(state, key, self._seen(observation, state, alive))
        return _with_types_of(after, games), outcome

    def _legal_choice(self, actions: jax.Array, seen: Seen) -> jax.Array:
        """Actions, with a legal one for the dead: they are told to do nothing, which is action 0
        here and may be another one there.
        """
        if seen.legal is None:
            return actions
        first = jnp.argmax(seen.legal, -1).astype(actions.dtype)
        return jnp.where(seen.alive, actions, first)

    def _seen(self, observation: Any, state: Any, alive: jax.Array) -> Seen:
        vectors = [
            jnp.ravel(observation[agent]).astype(jnp.float32) for agent in self._agents
        ]
        width = max(len(one) for one in vectors)
        features = jnp.stack([_padded(one, width) for one in vectors])
        world = observation.get(_WORLD)
        if world is not None:
            world = jnp.ravel(world).astype(jnp.float32)
        return Seen(features, self._legal(state), alive, world)

    def _legal(self, state: Any) -> jax.Array | None:
        if self._gives_masks:
            masks = self._environment.get_avail_actions(state)
            rows = [masks[agent].astype(bool) for agent in self._agents]
        elif min(self._counts) < self._actions:
            rows = [jnp.ones(count, bool) for count in self._counts]
        else:
            return None
        return jnp.stack([_padded(row, self._actions) for row in rows])


def _with_types_of(games: Games, before: Games) -> Games:
    """The games in the types of those before, so that ``step`` is compiled once and not twice.

    JAX tells a number whose type was only guessed from one of the same type: resets often give the
    former and steps the latter.
    """
    return jax.tree.map(lambda new, old: new.astype(old.dtype), games, before)


def _padded(values: jax.Array, width: int) -> jax.Array:
    return jnp.pad(values, (0, width - len(values)))
