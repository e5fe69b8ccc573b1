"""The law of a team's joint action, stated exactly, and its sampling.

A law is a finite mixture: the team draws a *component* and, given the component, its agents act by
what the law says. One component is what every MARL algorithm does today; any way for a team to
share its randomness is a choice of components and weights. Because a coupling states its law and
this module alone draws from it, no coupling can sample anything but what it states, and Eq. 16 can
be checked without sampling.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, final, runtime_checkable

import torch
from torch import Tensor

from marl_core.rng import uniform
from marl_core.shapes import Float, Int


@runtime_checkable
class JointSampler(Protocol):
    """Draws joint actions of one law."""

    def draw(
        self,
        component: Int[Tensor, "E"],
        generator: torch.Generator,
        row: Int[Tensor, "E N"] | None = None,
    ) -> Int[Tensor, "E N"] | Float[Tensor, "E N D"]:
        """Draw each game's joint action, given the component that its team has drawn.

        Args:
            component: the component of each game, ``[E]``.
            generator: randomness, on the law's device.
            row: which row of the law each agent is in, ``[E, N]``; None: row ``e`` belongs to game
                ``e``.
        """


@runtime_checkable
class TeamLaw(Protocol):
    """How a team acts: what the kernel needs of a law to play by it.

    A law of discrete actions is a ``JointLaw``, one of numbers in boxes a
    ``marl_core.densities.law.DensityLaw``.
    """

    @property
    def weights(self) -> Float[Tensor, "*E C"]:
        """The probability of each component, ``[C]`` or ``[E, C]``."""

    def log_probability(
        self,
        actions: Int[Tensor, "*B N"] | Float[Tensor, "*B N D"],
        component: Int[Tensor, "*B"],
    ) -> Float[Tensor, "*B"]:
        """The logarithm of the probability of joint actions, or of its density, given the
        components.

        Args:
            actions: one joint action for each row, ``[*B, N]``; in a box ``[*B, N, D]``.
            component: the component that each row's team has drawn, ``[*B]``.
        """

    def sampler(self) -> JointSampler:
        """What draws from the law; it may be used for any number of draws."""


@runtime_checkable
class JointLaw(TeamLaw, Protocol):
    """What a coupling states of discrete actions: how a team acts, in tables of probabilities."""

    @property
    def individual(self) -> Float[Tensor, "*B N A"]:
        """What each agent's own policy says."""

    def marginal(self) -> Float[Tensor, "*B N A"]:
        """How often each agent really takes each action: the left side of Eq. 16."""


@final
@dataclass(frozen=True)
class JointPolicy:
    """A mixture of independent teams.

    Attributes:
        individual: what each agent's own policy says, ``[*B, N, A]``.
        components: how each agent acts, independently of the others, in each component, ``[C, *B,
            N, A]``.
        weights: the probability of each component, ``[C]``, or ``[*B, C]`` where games differ.
    """

    individual: Float[Tensor, "*B N A"]
    components: Float[Tensor, "C *B N A"]
    weights: Float[Tensor, "*E C"]

    @classmethod
    def independent(cls, individual: Float[Tensor, "*B N A"]) -> JointPolicy:
        """Agents that share nothing.

        Args:
            individual: how each agent acts, ``[*B, N, A]``.
        """
        return cls(individual, individual.unsqueeze(0), individual.new_ones(1))

    @classmethod
    def deterministic(
        cls, actions: Int[Tensor, "*B N"], action_count: int
    ) -> JointPolicy:
        """Agents that surely take given actions.

        Args:
            actions: each agent's action, ``[*B, N]``.
            action_count: A, the number of actions.
        """
        return cls.independent(certain(actions, action_count))

    def marginal(self) -> Float[Tensor, "*B N A"]:
        """How often each agent really takes each action: the left side of Eq. 16."""
        weights = self.weights.to(self.components.dtype)
        if weights.dim() == 1:
            return torch.tensordot(weights, self.components, dims=1)
        return torch.einsum("...c,c...na->...na", weights, self.components)

    def log_probability(
        self, actions: Int[Tensor, "*B N"], component: Int[Tensor, "*B"]
    ) -> Float[Tensor, "*B"]:
        """The logarithm of the probability of joint actions, given the components.

        Args:
            actions: one joint action for each row, ``[*B, N]``.
            component: the component that each row's team has drawn, ``[*B]``.
        """
        chosen = actions.unsqueeze(0).unsqueeze(-1)
        every = self.components.gather(
            -1, chosen.expand(*self.components.shape[:-1], 1)
        )
        of_component = every.squeeze(-1).log().sum(-1)
        return of_component.gather(0, component.unsqueeze(0)).squeeze(0)

    def sampler(self) -> TableSampler:
        """The tables that sampling needs, computed once for any number of draws."""
        return TableSampler(cumulative_probabilities(self.components))


def certain(actions: Int[Tensor, "*B N"], action_count: int) -> Float[Tensor, "*B N A"]:
    """Policies that surely take given actions.

    Args:
        actions: each agent's action, ``[*B, N]``.
        action_count: A, the number of actions.
    """
    one_hot = torch.nn.functional.one_hot(actions, action_count)
    return one_hot.to(torch.get_default_dtype())


def cumulative_probabilities(
    probabilities: Float[Tensor, "*B A"],
) -> Float[Tensor, "*B A"]:
    """The upper edges of what a uniform number must fall into, in at least single precision.

    Dividing by the last makes it exactly 1, so that a draw below 1 never lands on an action of
    probability 0.

    Args:
        probabilities: along the last axis, summing to 1 up to rounding.
    """
    if probabilities.dtype.itemsize < 4:
        probabilities = probabilities.float()
    cumulative = probabilities.cumsum(-1)
    return cumulative / cumulative[..., -1:]


def greedy_actions(individual: Float[Tensor, "*B N A"]) -> Int[Tensor, "*B N"]:
    """u*_i of Eq. 14: each agent's most probable action; on a tie the one with the lowest number.

    Args:
        individual: individual policies, ``[*B, N, A]``.
    """
    return individual.argmax(-1)  # torch promises the first of equal maxima


def draw_components(
    weights: Float[Tensor, "*E C"],
    games: int,
    generator: torch.Generator | None,
) -> Int[Tensor, "E"]:
    """One component for each game: what a team shares.

    Args:
        weights: the probability of each component, ``[C]`` or ``[E, C]``.
        games: E, how many games.
        generator: randomness, on the device of the weights; None: torch's own, which is for use
            outside of this framework.
    """
    if weights.shape[-1] == 1:
        return torch.zeros(games, dtype=torch.int64, device=weights.device)
    inner = cumulative_probabilities(weights)[..., :-1]
    if weights.dim() == 1:
        draws = uniform((games,), generator, weights.device)
        return torch.searchsorted(inner, draws, right=True)
    draws = uniform((games, 1), generator, weights.device).to(inner.dtype)
    return torch.searchsorted(inner.contiguous(), draws, right=True).squeeze(-1)


@final
@dataclass(frozen=True)
class TableSampler:
    """Draws joint actions from cumulative probabilities by inversion: one uniform number for each
    agent.

    Attributes:
        cumulative: cumulative probabilities of the actions in each component, ``[C, *B, N, A]``.
    """

    cumulative: Float[Tensor, "C *B N A"]

    def draw(
        self,
        component: Int[Tensor, "E"],
        generator: torch.Generator | None,
        row: Int[Tensor, "E N"] | None = None,
    ) -> Int[Tensor, "E N"]:
        """Draw each game's joint action, given the component that its team has drawn.

        Args:
            component: the component of each game, ``[E]``.
            generator: randomness, on the device of the tables; None: torch's own.
            row: which row of the table each agent is in, ``[E, N]``; None: row ``e`` belongs
                to game ``e``.
        """
        agents = self.cumulative.shape[-2]
        shape = (component.shape[0], agents)
        agent = torch.arange(agents, device=component.device)
        if row is None:
            row = torch.arange(shape[0], device=component.device).unsqueeze(-1)
        # Components, rows and agents as one axis: a single index is several times faster than
        # three.
        cell = row * agents + agent
        if self.cumulative.shape[0] > 1:
            rows = self.cumulative[0, ..., 0].numel()
            cell = cell + (component * rows).unsqueeze(-1)
        edges = self.cumulative.flatten(0, -2).index_select(0, cell.flatten())
        draws = uniform((cell.numel(), 1), generator, edges.device).to(edges.dtype)
        return torch.searchsorted(edges, draws, right=True).view(shape)
