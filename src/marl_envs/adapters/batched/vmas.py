"""Scenarios of VMAS: many games in one set of tensors."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar, Final, final

import torch
from jaxtyping import Bool, Float, Int
from pydantic import Field
from torch import Tensor

from marl_core.base_config import LONGEST_NAME
from marl_core.errors import UserError
from marl_core.types import EnvironmentSpec, Observation, StepResult
from marl_envs.adapters.batched.config import BatchedConfig, TeamShape
from marl_envs.adapters.batched.ends import Ends
from marl_envs.adapters.making import imported, made
from marl_envs.adapters.seeds import seeds_of

_SCENARIO: Final = re.compile(r"[A-Za-z_]\w*")


class VMASConfig(BatchedConfig):
    """Settings of a scenario of VMAS."""

    name: str = "vmas"
    id: str = Field(
        max_length=LONGEST_NAME,
        description="The scenario, as 'balance' or 'simple_spread'.",
    )

    def look(self) -> TeamShape:
        """Make the scenario once to see what it gives."""
        with _RandomState().in_use():
            environment = self.made(1, torch.device("cpu"))
            seen = _joined(environment.reset(seed=0))
        counts = _action_counts(environment)
        return TeamShape(
            agents=len(counts),
            actions=max(counts),
            features=max(one.shape[-1] for one in seen),
            masks=len(set(counts)) > 1,
        )

    def made(self, games: int, device: torch.device) -> Any:
        """VMAS's own environment.

        Args:
            games: E.
            device: where its tensors are.

        Raises:
            UserError: VMAS is not installed, or there is no such scenario.
        """
        if not _SCENARIO.fullmatch(self.id):
            raise UserError(f"'{self.id}' is no scenario's name, as balance is")
        make = imported("vmas", "vmas").make_env
        own = {
            "scenario": self.id,
            "num_envs": games,
            "device": device,
            "continuous_actions": False,
        }
        taken = sorted(self.kwargs.keys() & {*own, "max_steps", "wrapper"})
        if taken:
            raise UserError(f"kwargs cannot set {', '.join(taken)}: the run does")
        with warnings.catch_warnings():
            # What the scenario does not know is a slip, and no warning.
            warnings.filterwarnings("error", message="Scenario kwargs")
            return made(self.id, make, {**self.kwargs, **own})


@final
class VMAS:
    """E games of a scenario of VMAS, with discrete actions.

    All environments of VMAS in a process draw from one shared state. Here each has a state of its
    own, which ``generator`` seeds at each reset.

    Args:
        config: which scenario, and how it is seen.
        games: E.
        device: where the tensors are.
        generator: where the seeds come from.
    """

    Config: ClassVar = VMASConfig

    def __init__(
        self,
        config: VMASConfig,
        *,
        games: int,
        device: torch.device | str,
        generator: torch.Generator,
    ) -> None:
        self.spec: EnvironmentSpec = config.spec()
        self._joined_state = config.state == "joined"
        self._device = torch.device(device)
        self._generator = generator
        self._random = _RandomState()
        with self._random.in_use():
            self._games = config.made(games, self._device)
        self._ends = Ends(games, config.limit(), self._device)
        self._counts = _action_counts(self._games)
        self._legal = _legal_actions(self._counts, games, self._device)
        self._seen: Float[Tensor, "E N O"] | None = None

    def reset(self, games: Bool[Tensor, "E"] | None = None) -> Observation:
        """Start games anew.

        Args:
            games: which ones; None: all of them.
        """
        self._ends.reset(games)
        drawn = seeds_of(self._games.num_envs, self._generator)
        seeds: list[int] = drawn.tolist()
        if games is None or self._seen is None or bool(games.all()):
            with self._random.in_use():
                self._seen = self._features(self._games.reset(seed=seeds[0]))
        else:
            self._reset_some(games, seeds)
        return self._observation(self._seen)

    def _reset_some(self, games: Bool[Tensor, "E"], seeds: Sequence[int]) -> None:
        """VMAS resets games one by one. The stream of those that go on stays where it is."""
        with _RandomState().in_use():
            for game in games.nonzero().flatten().tolist():
                self._games.seed(seeds[game])
                self._games.reset_at(game, return_observations=False)
            seen = self._games.get_from_scenario(
                get_observations=True,
                get_rewards=False,
                get_infos=False,
                get_dones=False,
            )[0]
        assert self._seen is not None, "reset as a whole before"
        self._seen = torch.where(games.view(-1, 1, 1), self._features(seen), self._seen)

    def step(self, actions: Int[Tensor, "E N"]) -> StepResult:
        """Advance every game.

        Args:
            actions: of each agent.
        """
        chosen = list(actions.to(self._device).unsqueeze(-1).unbind(1))
        on = self._ends.on
        with self._random.in_use():
            seen, rewards, done, _ = self._games.step(chosen)
        self._seen = self._features(seen)
        self._ends.advance(done.reshape(-1))
        # Some scenarios give a reward as [E], others as [E, 1].
        reward = torch.stack([one.reshape(-1) for one in rewards], -1)
        reward = torch.where(on.unsqueeze(-1), reward, 0.0)
        return StepResult(
            observation=self._observation(self._seen),
            team_reward=reward.mean(-1),
            terminated=self._ends.terminated,
            truncated=self._ends.truncated,
            individual_reward=reward if self.spec.individual_reward else None,
        )

    def _features(self, seen: Sequence[Any]) -> Float[Tensor, "E N O"]:
        width = self.spec.features
        assert width is not None
        padded = [_padded(one, width) for one in _joined(seen)]
        return torch.stack(padded, 1)

    def _observation(self, seen: Float[Tensor, "E N O"]) -> Observation:
        # Copies, because the receiver may write into them.
        return Observation(
            seen.clone(),
            state=seen.flatten(1).clone() if self._joined_state else None,
            action_mask=self._legal.clone() if self.spec.action_masks else None,
        )


@final
class _RandomState:
    """Where an environment's randomness stands; put in VMAS's place while it is asked."""

    def __init__(self) -> None:
        # Where VMAS stands; the first reset seeds it.
        self._state: list[Any] = list(_shared_state())

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """Have VMAS draw from this state."""
        shared = _shared_state()
        before = list(shared)
        shared[:] = self._state
        try:
            yield
        finally:
            self._state = list(shared)
            shared[:] = before


def _shared_state() -> list[Any]:
    """The one state from which all environments of VMAS draw."""
    module = imported("vmas.simulator.environment", "vmas")
    state: list[Any] = module.Environment.vmas_random_state
    return state


def _action_counts(environment: Any) -> list[int]:
    return [int(space.n) for space in environment.action_space]


def _legal_actions(
    counts: Sequence[int], games: int, device: torch.device
) -> Bool[Tensor, "E N A"]:
    numbers = torch.arange(max(counts), device=device)
    legal = numbers < torch.tensor(counts, device=device).unsqueeze(-1)
    return legal.expand(games, -1, -1)


def _joined(seen: Sequence[Any]) -> list[Tensor]:
    """What each agent sees as one vector; some scenarios give several by name."""
    vectors = []
    for one in seen:
        if isinstance(one, Mapping):
            one = torch.cat([part.flatten(1) for part in one.values()], -1)
        vectors.append(one.float())
    return vectors


def _padded(seen: Float[Tensor, "E O2"], width: int) -> Float[Tensor, "E O"]:
    """Zeros at the end for an agent that sees less than others."""
    missing = width - seen.shape[-1]
    return torch.nn.functional.pad(seen, (0, missing)) if missing else seen
