"""The pieces of episodes in one rollout, and where the games are before and after it."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple, final

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from marl_core.collection.draws import Drawn
from marl_core.collection.episodes import where_each
from marl_core.collection.whole_episodes import (
    EpisodeEnds,
    Step,
    by_episode,
    by_game,
)
from marl_core.types import Memory, Observation, Pieces, Progress, Rollout, StepResult


class GamesBetween(NamedTuple):
    """Where games are between two rollouts.

    Attributes:
        observation: what the agents see now.
        memory: the host's.
        drawn: by the teams; None before their first step.
        age: how many steps each game has lasted.
        earned: what the team has gained in it until now.
    """

    observation: Observation
    memory: Memory
    drawn: Drawn | None
    age: Int[Tensor, "E"]
    earned: Float[Tensor, "E"]

    def after(
        self, memory: Memory, result: StepResult, observation: Observation
    ) -> GamesBetween:
        """Where they are one step later.

        Args:
            memory: the host's, for the next step.
            result: what came of the step.
            observation: what the agents see in the next step.
        """
        earned = self.earned + result.team_reward
        return GamesBetween(
            observation,
            memory,
            None,
            self.age + 1,
            earned,
        )

    def begun_again(
        self, again: Bool[Tensor, "E"], observation: Observation, memory: Memory
    ) -> GamesBetween:
        """The same, with some of them at their beginning.

        Args:
            again: which.
            observation: what the agents of all games see now.
            memory: the host's initial memory.
        """
        return self._replace(
            observation=observation,
            memory=where_each(again, memory, self.memory),
            age=self.age.masked_fill(again, 0),
            earned=self.earned.masked_fill(again, 0),
        )


@final
class Window:
    """The pieces of one rollout, in the order in which they began.

    Args:
        games: where they are at the beginning.
    """

    def __init__(self, games: GamesBetween) -> None:
        count = len(games.age)
        self.steps: list[Step] = []
        self._ends: list[EpisodeEnds] = []
        self._begun = count
        self._piece = torch.arange(count, device=games.age.device)
        self._first = torch.zeros_like(self._piece)
        self._earned = [games.earned]

    def add(
        self,
        games: GamesBetween,
        actions: Tensor,
        component: Int[Tensor, "E"],
        result: StepResult,
    ) -> None:
        """Keep a step.

        Args:
            games: where they were before it.
            actions: what was done.
            component: what each team had drawn.
            result: what came of it.
        """
        step = Step(
            games.observation,
            games.memory,
            actions,
            component,
            torch.ones_like(games.age, dtype=torch.bool),
            self._piece,
            len(self.steps) - self._first,
            result,
        )
        self.steps.append(step)

    def end(
        self,
        ended: Bool[Tensor, "E"],
        observation: Observation,
        memory: Memory,
    ) -> None:
        """End the pieces of some games.

        Args:
            ended: which games.
            observation: what the agents of all games saw after their last step.
            memory: what the host remembered then.
        """
        chosen = ended.nonzero().squeeze(-1)
        end = EpisodeEnds(
            self._piece[chosen],
            observation.map(lambda x: x[chosen]),
            {name: value[chosen] for name, value in memory.items()},
        )
        self._ends.append(end)

    def begin(self, begun: Bool[Tensor, "E"]) -> None:
        """Begin new pieces, with the first steps of new episodes.

        Args:
            begun: in which games.
        """
        number = self._begun + begun.cumsum(0) - 1
        self._piece = torch.where(begun, number, self._piece)
        self._first = self._first.masked_fill(begun, len(self.steps))
        count = int(begun.sum())
        self._begun += count
        self._earned.append(self._earned[0].new_zeros(count))

    def rollout(self, cut: Bool[Tensor, "E"], progress: Progress) -> Rollout:
        """The pieces as columns.

        Args:
            cut: which games go on after the last step. All pieces have been ended.
            progress: how far the run is.
        """
        # ``by_episode`` puts the ends of all pieces in the place of these.
        end = self._ends[-1]
        played = by_game(
            self.steps,
            end.observation,
            end.memory,
            progress,
            table=None,
        )
        truncated = played.truncated.clone()
        truncated[-1] |= cut
        pieces = by_episode(
            replace(played, truncated=truncated),
            self.steps,
            self._ends,
            self._begun,
        )
        goes_on = torch.zeros(self._begun, dtype=torch.bool, device=cut.device)
        goes_on[self._piece[cut]] = True
        return replace(pieces, pieces=Pieces(torch.cat(self._earned), goes_on))
