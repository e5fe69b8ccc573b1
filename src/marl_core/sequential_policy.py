"""The law of a team whose agents act one after the other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import final

import torch
from jaxtyping import Float, Int
from torch import Tensor

from marl_core.joint_policy import cumulative_probabilities
from marl_core.rng import uniform

#: An agent's law given the actions of the agents before it: ``(agent, actions [E, agent], component
#: [E]) -> [E, A]``.
Conditional = Callable[[int, Tensor, Tensor], Tensor]


@final
@dataclass(frozen=True)
class SequentialPolicy:
    """A team whose agents act one after the other, each knowing what those before it do.

    Attributes:
        individual: how often each agent takes each action over all, ``[E, N, A]``: its individual
            policy.
        weights: the probability of each component, ``[C]`` or ``[E, C]``.
        conditional: an agent's law given the actions of the agents before it.
    """

    individual: Float[Tensor, "E N A"]
    weights: Float[Tensor, "*E C"]
    conditional: Conditional

    def marginal(self) -> Float[Tensor, "E N A"]:
        """What the individual policies say; the spec checker holds it against the conditional
        laws.
        """
        return self.individual

    def log_probability(
        self, actions: Int[Tensor, "E N"], component: Int[Tensor, "E"]
    ) -> Float[Tensor, "E"]:
        """The logarithm of the probability of joint actions, given the components.

        Args:
            actions: one joint action for each game, ``[E, N]``.
            component: the component that each game's team has drawn, ``[E]``.
        """
        total = torch.zeros_like(self.individual[:, 0, 0])
        for agent in range(actions.shape[-1]):
            law = self.conditional(agent, actions[:, :agent], component)
            chosen = law.gather(-1, actions[:, agent : agent + 1]).squeeze(-1)
            total = total + chosen.log()
        return total

    def sampler(self) -> SequentialPolicy:
        """The law itself, which draws agent after agent."""
        return self

    def draw(
        self,
        component: Int[Tensor, "E"],
        generator: torch.Generator,
        row: Int[Tensor, "E N"] | None = None,
    ) -> Int[Tensor, "E N"]:
        """Draw each game's joint action, given the component that its team has drawn.

        Args:
            component: the component of each game, ``[E]``.
            generator: randomness, on the law's device.
            row: must be None: a sequential law is stated for each game.

        Raises:
            ValueError: a row was given.
        """
        if row is not None:
            raise ValueError("a sequential law is stated for each game, not in a table")
        games, agents, _ = self.individual.shape
        actions = torch.zeros(games, 0, dtype=torch.int64, device=component.device)
        for agent in range(agents):
            law = self.conditional(agent, actions, component)
            edges = cumulative_probabilities(law)
            draws = uniform((games, 1), generator).to(edges.dtype)
            drawn = torch.searchsorted(edges, draws, right=True)
            actions = torch.cat([actions, drawn], -1)
        return actions
