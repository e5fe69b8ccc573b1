"""Scenes: what a policy or a coupling may be asked about, in line with a spec of an environment."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from hypothesis import strategies as st
from jaxtyping import Bool, Float, Int
from torch import Tensor

from marl_core.testing.strategies import ScoreBatch, progresses, score_batches, seeds
from marl_core.types import EnvironmentSpec, Moment, Observation, Progress

#: Sizes of what agents see in a scene.
_FEATURES = 4
_ENTITIES = (3, 2)
_STATE = 5
#: How many teams the agents of a scene belong to, in turn. Most couplings do not ask for teams.
_TEAMS = 2


@dataclass(frozen=True)
class Scene:
    """Scores of E teams, what those teams see, and how far the run is.

    Attributes:
        batch: the scores, and which actions are legal.
        seen: features, entities, a state and the mask of legal actions.
        progress: how far the run is.
    """

    batch: ScoreBatch
    seen: Observation
    progress: Progress

    @property
    def games(self) -> int:
        """E, how many teams there are."""
        return self.batch.scores.shape[0]

    @property
    def legal(self) -> Bool[Tensor, "E N A"]:
        """Which actions are legal, written out."""
        if self.batch.legal is not None:
            return self.batch.legal
        return torch.ones_like(self.batch.scores, dtype=torch.bool)

    @property
    def spec(self) -> EnvironmentSpec:
        """What an environment gives in which such a scene may happen."""
        _, agents, actions = self.batch.scores.shape
        return EnvironmentSpec(
            agents=agents,
            actions=actions,
            max_steps=10,
            features=_FEATURES,
            entities=_ENTITIES,
            state_features=_STATE,
            action_masks=self.batch.legal is not None,
            teams=tuple(agent % _TEAMS for agent in range(agents)),
        )

    @property
    def moment(self) -> Moment:
        """The moment at which the teams draw their components."""
        return Moment(
            self.progress,
            torch.device("cpu"),
            self.seen,
        )

    def scores(self, components: int) -> Float[Tensor, "*C E N A"]:
        """The scores as a coupling asks for them.

        Args:
            components: C, how many components have scores of their own, each others; 0: none of
                them.
        """
        own = self.batch.scores
        if not components:
            return own
        return torch.stack(
            [
                own.roll(
                    index,
                    -1,
                )
                for index in range(components)
            ]
        )

    def take(self, rows: Int[Tensor, "rows"]) -> Scene:
        """The scene with other teams.

        Args:
            rows: for each team of the new scene, its number in this one.
        """
        legal = self.batch.legal
        chosen = ScoreBatch(
            self.batch.scores[rows], None if legal is None else legal[rows]
        )
        seen = self.seen.map(lambda value: value[rows])
        return Scene(chosen, seen, self.progress)

    def game(self, index: int) -> Scene:
        """One team alone.

        Args:
            index: its number.
        """
        return self.take(torch.tensor([index]))

    def repeated(self, index: int, times: int) -> Scene:
        """One team again and again.

        Args:
            index: its number.
            times: how often.
        """
        return self.take(torch.full((times,), index))


def scenes(
    games: tuple[int, int] = (1, 3),
    agents: tuple[int, int] = (1, 8),
    actions: tuple[int, int] = (2, 12),
) -> st.SearchStrategy[Scene]:
    """Scenes of a number of games, agents and actions between bounds.

    Args:
        games: the least and the greatest E.
        agents: the least and the greatest N.
        actions: the least and the greatest A.
    """
    batches = score_batches(games, agents, actions)
    return st.builds(
        _scene,
        batches,
        progresses(),
        seeds(),
    )


def small_scenes() -> st.SearchStrategy[Scene]:
    """Scenes of one game whose joint actions can all be listed."""
    return scenes(
        games=(1, 1),
        agents=(1, 3),
        actions=(2, 4),
    )


def _scene(
    batch: ScoreBatch,
    progress: Progress,
    seed: int,
) -> Scene:
    generator = torch.Generator().manual_seed(seed)
    games, agents, _ = batch.scores.shape
    entities = (games, agents, *_ENTITIES)
    there = torch.randn(entities[:-1], generator=generator) < 1
    seen = Observation(
        features=torch.randn(games, agents, _FEATURES, generator=generator),
        entities=torch.randn(entities, generator=generator),
        entity_mask=there,
        state=torch.randn(games, _STATE, generator=generator),
        action_mask=batch.legal,
    )
    return Scene(batch, seen, progress)
