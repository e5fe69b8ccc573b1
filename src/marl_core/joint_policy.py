"""The law of a team's joint action, stated exactly, and its sampling.

A joint policy is a finite mixture of *components*; in each component the agents act independently. One component is
what every MARL algorithm does today; any way for a team to share its randomness is a choice of components and weights
(policy resonance has two: all greedy, or all corrected). Because a strategy states its law and this module alone draws
from it, no strategy can sample anything but what it states, and Eq. 16 can be checked without sampling.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from marl_core.rng import uniform


@dataclass(frozen=True)
class JointPolicy:
    """A mixture of independent teams.

    ``individual`` is what each agent's own policy says; ``components[c]`` is how each agent acts, independently of
    the others, when the team has drawn component ``c``, which happens with probability ``weights[c]``.
    """

    individual: Float[Tensor, "*B N A"]
    components: Float[Tensor, "C *B N A"]
    weights: Float[Tensor, "C"]

    @classmethod
    def independent(cls, individual: Float[Tensor, "*B N A"]) -> JointPolicy:
        """Agents that share nothing."""
        return cls(individual, individual.unsqueeze(0), individual.new_ones(1))

    @classmethod
    def deterministic(
        cls, actions: Int[Tensor, "*B N"], action_count: int
    ) -> JointPolicy:
        """Agents that surely take ``actions``."""
        one_hot = torch.nn.functional.one_hot(actions, action_count).to(
            torch.get_default_dtype()
        )
        return cls.independent(one_hot)

    def marginal(self) -> Float[Tensor, "*B N A"]:
        """How often each agent really takes each action: the left side of Eq. 16."""
        return torch.tensordot(
            self.weights.to(self.components.dtype), self.components, dims=1
        )

    def sampler(self) -> JointSampler:
        """The tables that sampling needs, computed once for any number of draws."""
        cumulative = self.components.cumsum(-1)
        # Dividing by the last makes it exactly 1, so that a draw below 1 never lands on an action of probability 0.
        return JointSampler(cumulative / cumulative[..., -1:])


def greedy_actions(individual: Float[Tensor, "*B N A"]) -> Int[Tensor, "*B N"]:
    """u*_i of Eq. 14: the most probable action, of equals the one with the lowest number."""
    return individual.argmax(-1)  # torch promises the first of equal maxima


def draw_components(
    weights: Float[Tensor, "C"], games: int, generator: torch.Generator
) -> Int[Tensor, "E"]:
    """One component for each game: the coin that a team shares."""
    if weights.shape[0] == 1:
        return torch.zeros(games, dtype=torch.int64, device=weights.device)
    edges = weights.cumsum(0)
    return torch.searchsorted(
        edges[:-1] / edges[-1], uniform((games,), generator), right=True
    )


@dataclass(frozen=True)
class JointSampler:
    """Draws joint actions from cumulative probabilities by inversion: one uniform number for each agent."""

    cumulative: Float[Tensor, "C *B N A"]

    def draw(
        self,
        component: Int[Tensor, "E"],
        generator: torch.Generator,
        situation: Int[Tensor, "E N"] | None = None,
    ) -> Int[Tensor, "E N"]:
        """Draw each game's joint action, given the component that its team has drawn.

        Args:
            component: the component of each game.
            generator: randomness, on the device of the tables.
            situation: which row of the table each agent is in; None where row ``e`` belongs to game ``e``.
        """
        agents = self.cumulative.shape[-2]
        shape = (component.shape[0], agents)
        agent = torch.arange(agents, device=component.device)
        row = (
            torch.arange(shape[0], device=component.device).unsqueeze(-1)
            if situation is None
            else situation
        )
        # Components, rows and agents as one axis: a single index is several times faster than three.
        cell = row * agents + agent
        if self.cumulative.shape[0] > 1:
            cell = cell + (component * self.cumulative[0, ..., 0].numel()).unsqueeze(-1)
        edges = self.cumulative.flatten(0, -2).index_select(0, cell.flatten())
        draws = uniform((cell.numel(), 1), generator).to(edges.dtype)
        return torch.searchsorted(edges, draws, right=True).view(shape)
