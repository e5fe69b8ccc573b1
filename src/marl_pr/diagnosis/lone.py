"""A probe in which at most one agent deviates from the greedy joint action at each step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import torch
from jaxtyping import Float, Int
from torch import Tensor

from marl_core.capabilities import CouplingNeeds, Holds
from marl_core.joint_policy import JointPolicy, TableSampler
from marl_core.types import Moment, Progress
from marl_pr.resonance import greedy_policies


def deviation_probability(agents: int) -> float:
    """How often one agent deviates: sqrt(N)/(1 + sqrt(N)).

    Args:
        agents: N.
    """
    return 1 - 1 / (1 + agents**0.5)


def either(
    individual: Float[Tensor, "*B N A"],
) -> Float[Tensor, "2 *B N A"]:
    """How each agent acts where it is greedy, and where it deviates.

    An agent that never deviates stays greedy.

    Args:
        individual: what each agent's own policy says, ``[*B, N, A]``.
    """
    greedy = greedy_policies(individual)
    others = individual * (1 - greedy)
    rest = others.sum(-1, keepdim=True)
    divisor = torch.where(
        rest > 0,
        rest,
        1.0,
    )
    deviating = torch.where(
        rest > 0,
        others / divisor,
        greedy,
    )
    return torch.stack([greedy, deviating])


@final
class LoneDeviation:
    """All agents act greedily but for one, which acts by its own policy given that it deviates.

    Component 0 is the greedy team, component i the team in which agent i deviates. Each of the N
    differences between a component i and the greedy team has the least variance, for equal noise,
    where somebody deviates as often as ``deviation_probability`` says.

    It is a probe: no agent acts as often as its policy says, so Eq. 16 does not hold.

    Args:
        agents: N.
    """

    def __init__(
        self,
        agents: int,
    ) -> None:
        self._agents = agents

    @property
    def component_names(self) -> tuple[str, ...]:
        """Nobody asks for them: the probe is never logged."""
        return ()

    @property
    def holds(self) -> Holds:
        """One agent may deviate at each step, another one at the next."""
        return "step"

    @property
    def needs(self) -> CouplingNeeds:
        """Nothing."""
        return CouplingNeeds()

    def weights(
        self,
        moment: Moment,
    ) -> Float[Tensor, "C"]:
        """The greedy team, and the N deviations, each as often as the others.

        Args:
            moment: says on which device.
        """
        some = deviation_probability(self._agents)
        each = some / self._agents
        weights = torch.full((self._agents + 1,), each, device=moment.device)
        weights[0] = 1 - some
        return weights

    def law(
        self,
        policies: Float[Tensor, "*B N A"],
        weights: Float[Tensor, "C"],
        progress: Progress,
    ) -> LoneLaw:
        """The law of the probe.

        Args:
            policies: every agent's individual policy, ``[*B, N, A]``.
            weights: of the N + 1 components.
            progress: how far the run is; it makes no difference.
        """
        return LoneLaw(policies, weights)


@final
@dataclass(frozen=True)
class LoneLaw:
    """What ``LoneDeviation`` states: N + 1 components, in the memory of two.

    Attributes:
        individual: what each agent's own policy says, ``[*B, N, A]``.
        weights: of the N + 1 components.
    """

    individual: Float[Tensor, "*B N A"]
    weights: Float[Tensor, "C"]

    def marginal(self) -> Float[Tensor, "*B N A"]:
        """How often each agent really takes each action."""
        greedy, deviating = either(self.individual)
        turn = self.weights[1:].unsqueeze(-1)
        return greedy + turn * (deviating - greedy)

    def log_probability(
        self,
        actions: Int[Tensor, "*B N"],
        component: Int[Tensor, "*B"],
    ) -> Float[Tensor, "*B"]:
        """The logarithm of the probability of joint actions, given the components.

        Args:
            actions: one joint action for each row, ``[*B, N]``.
            component: the component that each row's team has drawn, ``[*B]``.
        """
        chosen = actions.unsqueeze(0).unsqueeze(-1)
        both = either(self.individual)
        every = both.gather(-1, chosen.expand(*both.shape[:-1], 1))
        greedy, deviating = every.squeeze(-1).log()
        turn = _whose_turn(component, actions.shape[-1])
        return torch.where(
            turn,
            deviating,
            greedy,
        ).sum(-1)

    def sampler(self) -> LoneSampler:
        """What draws from the law."""
        both = either(self.individual)
        joint = JointPolicy(self.individual, both, self.weights[:2])
        return LoneSampler(joint.sampler())


@final
@dataclass(frozen=True)
class LoneSampler:
    """Draws joint actions of a ``LoneLaw``.

    Attributes:
        either: draws greedy actions as component 0, deviations as component 1.
    """

    either: TableSampler

    def draw(
        self,
        component: Int[Tensor, "E"],
        generator: torch.Generator,
        row: Int[Tensor, "E N"] | None = None,
    ) -> Int[Tensor, "E N"]:
        """Draw each game's joint action.

        Args:
            component: 0: the greedy team; i: agent i - 1 deviates.
            generator: randomness, on the law's device.
            row: which row of the law each agent is in, ``[E, N]``; None: row ``e`` belongs to game
                ``e``.
        """
        nobody = torch.zeros_like(component)
        greedy = self.either.draw(nobody, generator, row)
        deviating = self.either.draw(nobody + 1, generator, row)
        turn = _whose_turn(component, greedy.shape[-1])
        return torch.where(
            turn,
            deviating,
            greedy,
        )


def _whose_turn(
    component: Tensor,
    agents: int,
) -> Tensor:
    """Which agent deviates, ``[*B, N]``."""
    agent = torch.arange(
        1,
        agents + 1,
        device=component.device,
    )
    return component.unsqueeze(-1) == agent
