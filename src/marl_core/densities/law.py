"""The law of a team whose actions are numbers in boxes, stated by the ranks of its agents' draws.

In each component, and independently of the others, an agent's rank is uniform in the *core* [0, m]
with some probability, and else uniform in (m, 1]. The direction is that of its own policy. A mass
of m in the core is the policy itself; all mass in a core of nothing is the mode.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from marl_core.densities.agents import Densities
from marl_core.densities.chi_square import (
    mass_within,
    radius_of,
)
from marl_core.rng import normal
from marl_core.shapes import Float, Int


@final
@dataclass(frozen=True)
class RankLaw:
    """How the rank of an agent's draw is distributed in each component.

    Attributes:
        core: m, the mass of the core, ``[C]``, or ``[*E, C]`` where games differ.
        inside: the probability of lying in the core, of the same shape.
    """

    core: Float[Tensor, "*E C"]
    inside: Float[Tensor, "*E C"]

    def log_density(
        self,
        rank: Float[Tensor, "*B N"],
        component: Int[Tensor, "*B"],
    ) -> Float[Tensor, "*B N"]:
        """The logarithm of the density of ranks, given the components.

        It is 0 where the component is the policy itself, -inf where it never draws, and inf at the
        mode where all mass lies there.

        Args:
            rank: of each agent's action, ``[*B, N]``.
            component: that each row's team has drawn, ``[*B]``.
        """
        core, inside = (
            _of(self.core, component),
            _of(self.inside, component),
        )
        within = inside.log() - core.log()
        beyond = torch.log1p(-inside) - torch.log1p(-core)
        density = torch.where(
            rank <= core,
            within,
            beyond,
        )
        return torch.where(
            inside == core,
            0.0,
            density,
        )

    def moved(
        self,
        rank: Float[Tensor, "*B N"],
        component: Int[Tensor, "*B"],
    ) -> Float[Tensor, "*B N"]:
        """Uniform ranks moved, in their order, to where the components have them.

        Args:
            rank: uniform in [0, 1], ``[*B, N]``.
            component: that each row's team has drawn, ``[*B]``.
        """
        core, inside = (
            _of(self.core, component),
            _of(self.inside, component),
        )
        within = rank * core / torch.where(inside > 0, inside, 1.0)
        rest = torch.where(inside < 1, 1 - inside, 1.0)
        beyond = core + (rank - inside) * ((1 - core) / rest)
        moved = torch.where(
            rank < inside,
            within.minimum(core),
            beyond.clamp(max=1),
        )
        return torch.where(
            inside < 1,
            moved,
            rank * core,
        )


@final
@dataclass(frozen=True)
class DensityLaw:
    """A mixture of teams whose agents draw their ranks independently of each other.

    Attributes:
        individual: each agent's own policy.
        weights: the probability of each component, ``[C]``, or ``[*E, C]`` where games differ.
        ranks: the law of the ranks; None: one component alone, in which agents draw from their own
            policies.
    """

    individual: Densities
    weights: Float[Tensor, "*E C"]
    ranks: RankLaw | None = None

    @classmethod
    def greedy(
        cls,
        individual: Densities,
        weights: Float[Tensor, "1"],
    ) -> DensityLaw:
        """Agents that surely take their modes.

        Args:
            individual: each agent's own policy.
            weights: ``[1]``.
        """
        core = torch.zeros_like(weights)
        return cls(
            individual,
            weights,
            RankLaw(core, torch.ones_like(weights)),
        )

    def agent_log_densities(
        self,
        actions: Float[Tensor, "*B N D"],
        component: Int[Tensor, "*B"],
    ) -> Float[Tensor, "*B N"]:
        """The logarithm of each agent's density, given the components.

        Args:
            actions: one joint action for each row, ``[*B, N, D]``.
            component: the component that each row's team has drawn, ``[*B]``.
        """
        own = self.individual.log_density(actions)
        if self.ranks is None:
            return own
        return own + self.ranks.log_density(self.individual.rank(actions), component)

    def log_probability(
        self,
        actions: Float[Tensor, "*B N D"],
        component: Int[Tensor, "*B"],
    ) -> Float[Tensor, "*B"]:
        """The logarithm of the density of joint actions, given the components.

        Args:
            actions: one joint action for each row, ``[*B, N, D]``.
            component: the component that each row's team has drawn, ``[*B]``.
        """
        return self.agent_log_densities(actions, component).sum(-1)

    def marginal_log_density(
        self, actions: Float[Tensor, "*B N D"]
    ) -> Float[Tensor, "*B N"]:
        """The logarithm of each agent's density over all components: the left side of Eq. 16.

        Args:
            actions: one joint action for each row, ``[*B, N, D]``.
        """
        rows = actions.shape[:-2]
        summed = []
        for index in range(self.weights.shape[-1]):
            component = torch.full(rows, index, device=actions.device)
            weight = _of(self.weights, component).log()
            one = self.agent_log_densities(actions, component)
            # What nobody draws counts nothing, even where its density is infinite.
            counted = torch.where(
                weight > -torch.inf,
                weight + one,
                -torch.inf,
            )
            summed.append(counted)
        return torch.stack(summed).logsumexp(0)

    def sampler(self) -> DensityLaw:
        """The law itself, which draws."""
        return self

    def draw(
        self,
        component: Int[Tensor, "E"],
        generator: torch.Generator | None,
        row: Int[Tensor, "E N"] | None = None,
    ) -> Float[Tensor, "E N D"]:
        """Draw each game's joint action, given the component that its team has drawn.

        Args:
            component: the component of each game, ``[E]``.
            generator: randomness, on the law's device; None: torch's own.
            row: must be None: a law of densities is stated for each game.

        Raises:
            ValueError: a row was given.
        """
        if row is not None:
            raise ValueError(
                "a law of densities is stated for each game, not in a table"
            )
        shape = self.individual.shape
        noise = normal(shape, generator, component.device)
        if self.ranks is None:
            return self.individual.at(noise)
        squared = noise.square().sum(-1)
        rank = mass_within(squared, shape[-1])
        moved = self.ranks.moved(rank, component)
        least = torch.finfo(noise.dtype).tiny
        scale = radius_of(moved, shape[-1]) / squared.sqrt().clamp(min=least)
        # A policy that is drawn from as it is keeps its noise to the last bit.
        as_it_is = _of(
            self.ranks.inside == self.ranks.core,
            component,
        )
        scale = torch.where(as_it_is, 1.0, scale)
        return self.individual.at(noise * scale.unsqueeze(-1))


def _of(values: Tensor, component: Int[Tensor, "*B"]) -> Tensor:
    """The entry of each row's component, ``[*B, 1]``, to stand beside agents."""
    if values.dim() == 1:
        return values[component].unsqueeze(-1)
    return values.gather(-1, component.unsqueeze(-1))
