"""Environments of JaxMARL: many games in one compiled program."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, final

import torch
from jaxtyping import Bool, Int
from torch import Tensor
from torch.utils.dlpack import from_dlpack

from marl_core.types import EnvironmentSpec, Observation, StepResult
from marl_envs.adapters.batched.ends import Ends
from marl_envs.adapters.batched.jaxmarl_config import JaxMARLConfig
from marl_envs.adapters.seeds import seeds_of

if TYPE_CHECKING:
    from marl_envs.adapters.batched.jax_program import Games, Seen


@final
class JaxMARL:
    """E games of an environment of JaxMARL, with discrete actions.

    Tensors are handed over without copies. Programs are compiled when they are first called, which
    takes seconds, in SMAX up to a minute.

    Args:
        config: which environment, and how it is seen.
        games: E.
        device: where the tensors are.
        generator: where the seeds come from.
    """

    Config: ClassVar = JaxMARLConfig

    def __init__(
        self,
        config: JaxMARLConfig,
        *,
        games: int,
        device: torch.device | str,
        generator: torch.Generator,
    ) -> None:
        self.spec: EnvironmentSpec = config.spec()
        self._config = config
        self._count = games
        self._device = torch.device(device)
        self._generator = generator
        self._program = config.program()
        self._ends = Ends(games, config.limit(), self._device)
        self._done_at_limit = config.shape().max_steps == config.limit()
        self._games: Games | None = None

    def reset(self, games: Bool[Tensor, "E"] | None = None) -> Observation:
        """Start games anew.

        Args:
            games: which ones; None: all of them.
        """
        self._ends.reset(games)
        seeds = seeds_of(self._count, self._generator)
        if games is None or self._games is None:
            self._games = self._program.reset(_given(seeds))
        else:
            self._games = self._program.reset_some(
                _given(games), _given(seeds), self._games
            )
        return self._observation(self._games.seen)

    def step(self, actions: Int[Tensor, "E N"]) -> StepResult:
        """Advance every game.

        Args:
            actions: of each agent.
        """
        assert self._games is not None, "games are reset before they are played"
        on = self._ends.on
        self._games, outcome = self._program.step(_given(actions), self._games)
        self._ends.advance(self._taken(outcome.done), done_at_limit=self._done_at_limit)
        reward = self._taken(outcome.reward).masked_fill(~on.unsqueeze(-1), 0)
        return StepResult(
            observation=self._observation(self._games.seen),
            team_reward=reward.mean(-1),
            terminated=self._ends.terminated,
            truncated=self._ends.truncated,
            individual_reward=reward if self.spec.individual_reward else None,
            won=self._won(reward, on),
        )

    def state_dict(self) -> dict[str, Tensor]:
        """Where the games are."""
        import jax

        assert self._games is not None, "games are reset before they are saved"
        leaves = jax.tree.leaves(self._games)
        saved = {f"games.{index}": _copied(leaf) for index, leaf in enumerate(leaves)}
        return {**saved, **self._ends.state_dict()}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Continue where ``state_dict`` was taken.

        Args:
            state: what ``state_dict`` gave.
        """
        import jax

        seeds = jax.ShapeDtypeStruct((self._count,), "uint32")
        shape = jax.eval_shape(self._program.reset, seeds)
        like, structure = jax.tree.flatten(shape)
        leaves = []
        for index, one in enumerate(like):
            saved = state[f"games.{index}"].cpu().numpy()
            leaves.append(jax.numpy.asarray(saved.astype(one.dtype)))
        self._games = jax.tree.unflatten(structure, leaves)
        self._ends.load_state_dict(state)

    def _won(self, reward: Tensor, on: Tensor) -> Bool[Tensor, "E"] | None:
        least = self._config.won_reward
        if least is None:
            return None
        return on & ~self._ends.on & (reward >= least).any(-1)

    def _observation(self, seen: Seen) -> Observation:
        features = self._taken(seen.features)
        state = None
        if self._config.state == "joined":
            state = features.flatten(1).clone()
        elif self._config.state == "own":
            state = self._taken(seen.world)
        # A copy of the mask: the next step looks at it once more.
        return Observation(
            features,
            state=state,
            action_mask=self._taken(seen.legal).clone()
            if self.spec.action_masks
            else None,
            alive=self._taken(seen.alive).clone() if self.spec.agents_die else None,
        )

    def _taken(self, array: Any) -> Tensor:
        """An array as a tensor on the run's device."""
        return from_dlpack(array).to(self._device)


def _given(tensor: Tensor) -> Any:
    """A tensor as an array that JAX's programs take."""
    if tensor.dtype == torch.int64:
        tensor = tensor.to(torch.int32)
    tensor = tensor.contiguous()
    if tensor.is_cpu:
        # A program takes an array of NumPy at once; one that came by DLPack costs it twice as long.
        return tensor.numpy()
    import jax

    return jax.dlpack.from_dlpack(tensor)


def _copied(leaf: Any) -> Tensor:
    """A copy of an array, of a type that torch can compute with."""
    import numpy as np

    array = np.array(leaf)
    return torch.from_numpy(
        array.astype(np.int64) if array.dtype.kind == "u" else array
    )
