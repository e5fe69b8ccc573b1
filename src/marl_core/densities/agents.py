"""What agents' own policies over boxes have to be able to say, so that a team's law can be stated.

An agent's policy has a density. The *rank* v of an action is the mass of the highest-density region
on whose border it lies: 0 at the mode, towards 1 in the tails. Whatever the policy, the rank of its
own draw is uniform in [0, 1]. So a law of ranks says how a team explores without knowing where each
agent's policy lies (``marl_core.densities.law``).
"""

from __future__ import annotations

from typing import Protocol, Self, runtime_checkable

from torch import Tensor

from marl_core.shapes import Float


@runtime_checkable
class Densities(Protocol):
    """Each agent's own density of actions, with a direction for every rank."""

    @property
    def shape(self) -> tuple[int, ...]:
        """``[*B, N, D]``, the shape of an action of every agent."""

    def log_density(self, actions: Float[Tensor, "*B N D"]) -> Float[Tensor, "*B N"]:
        """The logarithm of each agent's density, per unit of the box's own numbers; finite.

        Args:
            actions: of every agent, ``[*B, N, D]``.
        """

    def entropy(self) -> Float[Tensor, "*B N"]:
        """The differential entropy of each agent's policy, in nats; differentiable."""

    def mode(self) -> Float[Tensor, "*B N D"]:
        """Each agent's greedy action: the one of rank 0."""

    def rank(self, actions: Float[Tensor, "*B N D"]) -> Float[Tensor, "*B N"]:
        """The rank of each agent's action, in [0, 1].

        Args:
            actions: of every agent, ``[*B, N, D]``.
        """

    def at(self, noise: Float[Tensor, "*B N D"]) -> Float[Tensor, "*B N D"]:
        """The actions that standard normal noise stands for.

        The rank of the action is ``mass_within(|noise|^2, D)`` of
        ``marl_core.densities.chi_square``, so that scaling noise changes the rank alone; drawn
        noise gives draws of the policy.

        Args:
            noise: for every agent, ``[*B, N, D]``.
        """

    def divergence(self, other: Self) -> Float[Tensor, "*B N"]:
        """KL(self || other) of each agent, in nats.

        Args:
            other: densities of the same kind and shape.
        """
