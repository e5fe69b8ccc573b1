"""What comes of a step of all games."""

from __future__ import annotations

from dataclasses import dataclass

from jaxtyping import Bool, Float, Int
from torch import Tensor

from marl_core.types.observation import Observation


class Ends:
    """The two ways in which a game ends, as one."""

    terminated: Bool[Tensor, "*B"]
    truncated: Bool[Tensor, "*B"]

    @property
    def ended(self) -> Bool[Tensor, "*B"]:
        """Whether the game ended, either way."""
        return self.terminated | self.truncated


@dataclass(frozen=True)
class StepResult(Ends):
    """What comes of a step.

    Attributes:
        observation: what the agents see after the step, also in a game that has just ended.
        team_reward: the team's.
        terminated: the task itself ended.
        truncated: a limit outside of the task ended the game, so that values must be bootstrapped.
        individual_reward: each agent's own; None: all agents get the team's.
        level: the index in ``EnvironmentSpec.levels`` to which the reward of this step belongs.
        won: the team reached the task's goal; true at most at the step that ends the game.
    """

    observation: Observation
    team_reward: Float[Tensor, "E"]
    terminated: Bool[Tensor, "E"]
    truncated: Bool[Tensor, "E"]
    individual_reward: Float[Tensor, "E N"] | None = None
    level: Int[Tensor, "E"] | None = None
    won: Bool[Tensor, "E"] | None = None
