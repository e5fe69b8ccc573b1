"""What the teams of all games have drawn, and when."""

from __future__ import annotations

from typing import NamedTuple, final

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from marl_core.collection.episodes import games_of
from marl_core.joint_policy import draw_components
from marl_core.protocols import Coupling
from marl_core.types import Moment, Observation, Progress


class Drawn(NamedTuple):
    """What the teams of all games have drawn.

    Attributes:
        component: of each game.
        weights: the probabilities of the components when it was drawn.
    """

    component: Int[Tensor, "E"]
    weights: Float[Tensor, "E C"]


class Alike(NamedTuple):
    """Games whose teams have drawn by the same weights.

    Attributes:
        games: their indices.
        weights: of the components.
    """

    games: Int[Tensor, "some"]
    weights: Float[Tensor, "C"]


@final
class Draws:
    """The components of all games.

    Games that go on from an earlier rollout may have drawn when the coupling's weights were others.
    Their law is stated by those, so that Eq. 16 holds for them, too.

    Args:
        coupling: states the weights.
        progress: how far the run is; it stays so for the whole collection.
        generator: for the components.
        observation: what the agents of each game see at the beginning, leading axis E.
        drawn: what the teams have drawn already, where their games go on. A component that holds
            for a single step is drawn anew all the same.
    """

    def __init__(
        self,
        coupling: Coupling,
        progress: Progress,
        generator: torch.Generator,
        observation: Observation,
        drawn: Drawn | None = None,
    ) -> None:
        self._coupling = coupling
        self._progress = progress
        self._generator = generator
        self._varies = coupling.needs.whole_game
        #: As the coupling states them: for all games, or for each.
        self.weights: Float[Tensor, "*E C"] = self._weights_at(observation)
        #: All games, where their teams have drawn by different weights; else empty.
        self.alike: list[Alike] = []
        self._goes_on = drawn is not None and coupling.holds == "episode"
        if drawn is None or not self._goes_on:
            self.component: Int[Tensor, "E"] = self._draw(games_of(observation))
        else:
            self.component = drawn.component
            self._sort(drawn.weights)

    @property
    def drawn(self) -> Drawn:
        """What the teams have drawn."""
        weights = self.weights.expand(len(self.component), -1)
        if self.alike:
            weights = weights.clone()
        for games, own in self.alike:
            weights[games] = own
        return Drawn(self.component, weights)

    def begin_step(self, observation: Observation) -> None:
        """Draw components anew where they hold for a single step.

        Args:
            observation: what the agents of each game see now.
        """
        if self._coupling.holds == "step":
            if self._varies:
                self.weights = self._weights_at(observation)
            self.component = self._draw(games_of(observation))

    def begin_again(
        self,
        again: Bool[Tensor, "E"],
        observation: Observation,
    ) -> None:
        """Draw a component for the games that have just been started anew.

        Args:
            again: which games.
            observation: what the agents of every game see now.
        """
        if not (self._varies or self._goes_on):
            drawn = self._draw(len(again))
        else:
            before = self.drawn.weights
            self.weights = self._weights_at(observation)
            drawn = self._draw(len(again))
            self._sort(torch.where(again.unsqueeze(-1), self.weights, before))
        self.component = torch.where(again, drawn, self.component)

    def _sort(self, weights: Float[Tensor, "E C"]) -> None:
        """Take weights that may be of different times, one set for each game."""
        self.alike = []
        if self.weights.dim() > 1:
            self.weights = weights
            return
        distinct, kind = weights.unique(dim=0, return_inverse=True)
        if len(distinct) == 1:
            self.weights = distinct[0]
            return
        for index, own in enumerate(distinct):
            games = (kind == index).nonzero().squeeze(-1)
            self.alike.append(Alike(games, own))

    def _weights_at(self, observation: Observation) -> Tensor:
        device = self._generator.device
        return self._coupling.weights(Moment(self._progress, device, observation))

    def _draw(self, games: int) -> Int[Tensor, "E"]:
        return draw_components(self.weights, games, self._generator)
