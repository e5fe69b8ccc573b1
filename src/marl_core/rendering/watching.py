"""An environment and a policy that keep what happens in them while an episode is played."""

from __future__ import annotations

from typing import final

from jaxtyping import Bool, Float, Int
from torch import Tensor

from marl_core.abilities import SavesState
from marl_core.capabilities import Scores
from marl_core.observation_table import table_of
from marl_core.protocols import Environment, IndividualPolicy
from marl_core.types import EnvironmentSpec, Observation, Progress, StepResult


@final
class WatchedEnvironment:
    """An environment whose states are kept; they are empty where it cannot save its state.

    Args:
        environment: what is played.
    """

    def __init__(self, environment: Environment) -> None:
        self._environment = environment
        self.states: list[dict[str, Tensor]] = []

    @property
    def spec(self) -> EnvironmentSpec:
        """What the environment gives."""
        return self._environment.spec

    @property
    def distinct_observations(self) -> Observation | None:
        """The environment's table of distinct observations, if it has one."""
        return table_of(self._environment)

    def reset(self, games: Bool[Tensor, "E"] | None = None) -> Observation:
        """Start games anew, and keep the state.

        Args:
            games: which ones, ``[E]``; None: all of them.
        """
        observation = self._environment.reset(games)
        self._keep()
        return observation

    def step(self, actions: Int[Tensor, "E N"]) -> StepResult:
        """Advance every game by one step, and keep the state.

        Args:
            actions: each agent's action, ``[E, N]``.
        """
        result = self._environment.step(actions)
        self._keep()
        return result

    def _keep(self) -> None:
        state: dict[str, Tensor] = {}
        if isinstance(self._environment, SavesState):
            state = self._environment.state_dict()
        kept = {name: value.detach().cpu().clone() for name, value in state.items()}
        self.states.append(kept)


@final
class KeptPolicy:
    """An individual policy that keeps what it says at every step.

    Args:
        policy: what each agent does on its own.
    """

    def __init__(self, policy: IndividualPolicy) -> None:
        self._policy = policy
        self.kept: list[Float[Tensor, "E N A"]] = []

    @property
    def accepts(self) -> frozenset[Scores]:
        """Which scores the policy understands."""
        return self._policy.accepts

    def log_policy(
        self,
        scores: Float[Tensor, "*B N A"],
        legal: Bool[Tensor, "*B N A"] | None,
        progress: Progress,
    ) -> Float[Tensor, "*B N A"]:
        """The logarithm of each agent's policy, which is kept.

        Args:
            scores: the host's, ``[*B, N, A]``.
            legal: which actions are legal, ``[*B, N, A]``; None: all of them.
            progress: how far the run is.
        """
        logarithm = self._policy.log_policy(scores, legal, progress)
        self.kept.append(logarithm.exp().cpu())
        return logarithm

    def entropy_coefficient(self, progress: Progress) -> float:
        """The weight of the policy's mean entropy.

        Args:
            progress: how far the run is.
        """
        return self._policy.entropy_coefficient(progress)
