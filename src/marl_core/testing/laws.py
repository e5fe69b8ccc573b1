"""What a coupling states about a scene, and its law written out over all joint actions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from marl_core.abilities import Departs
from marl_core.exploration.coupled import CoupledExploration, joint_policy
from marl_core.joint_policy import JointLaw
from marl_core.protocols import Coupling, IndividualPolicy
from marl_core.testing.plain import PlainSoftmax
from marl_core.testing.play import EnvironmentCase
from marl_core.testing.practice import PRACTICE
from marl_core.testing.scenes import Scene
from marl_core.types import EnvironmentSpec, Progress

#: Says of individual policies ``[*B, N, A]`` for which agents ``[*B, N]`` Eq. 16 is deliberately
#: given up.
Exempt = Callable[[Float[Tensor, "*B N A"], Progress], Bool[Tensor, "*B N"]]


def nobody(
    individual: Float[Tensor, "*B N A"], progress: Progress
) -> Bool[Tensor, "*B N"]:
    """Eq. 16 holds for every agent.

    Args:
        individual: the individual policies, ``[*B, N, A]``.
        progress: how far the run is.
    """
    return individual.new_zeros(individual.shape[:-1], dtype=torch.bool)


def plain_policy(spec: EnvironmentSpec) -> IndividualPolicy:
    """A softmax of the scores.

    Args:
        spec: what the environment gives.
    """
    return PlainSoftmax()


@dataclass(frozen=True)
class CouplingCase:
    """A coupling to check.

    Attributes:
        make: ``make(spec)`` gives one; often ``functools.partial(SomeCoupling, config)``.
        exempt: ``exempt(individual, progress)`` marks the agents for which it gives up Eq. 16 on
            purpose.
        policy: ``policy(spec)`` gives the individual policy that is coupled; by default a softmax.
        environment: what is played to see how a coupling learns that learns itself.
    """

    make: Callable[[EnvironmentSpec], Coupling]
    exempt: Exempt = nobody
    policy: Callable[[EnvironmentSpec], IndividualPolicy] = plain_policy
    environment: EnvironmentCase = field(default=PRACTICE)

    def bound(
        self, coupling: Coupling, individual: Tensor, progress: Progress
    ) -> Bool[Tensor, "*B N"]:
        """The agents for which Eq. 16 has to hold.

        Args:
            coupling: may itself say for which it does not (``marl_core.abilities.Departs``).
            individual: the individual policies, ``[*B, N, A]``.
            progress: how far the run is.
        """
        bound = ~self.exempt(individual, progress)
        if isinstance(coupling, Departs):
            bound = bound & ~coupling.departs(individual, progress)
        return bound

    def stated(self, scene: Scene, coupling: Coupling | None = None) -> Stated:
        """What a coupling states about a scene.

        Args:
            scene: what it is asked about.
            coupling: which is asked; by default a fresh one.
        """
        asked = self.make(scene.spec) if coupling is None else coupling
        policy = self.policy(scene.spec)
        strategy = CoupledExploration(policy, asked)
        scores = scene.scores(asked.needs.component_scores)
        legal = scene.batch.legal
        with torch.no_grad():
            weights = asked.weights(scene.moment)
            law = joint_policy(
                strategy,
                scores,
                legal,
                scene.progress,
                weights,
            )
            mask = None if legal is None else legal.expand(scores.shape)
            policies = policy.log_policy(
                scores,
                mask,
                scene.progress,
            ).exp()
        return Stated(asked, policies, weights, law)


@dataclass(frozen=True)
class Stated:
    """What a coupling states about a scene.

    Attributes:
        coupling: which was asked.
        policies: what it was given, ``[E, N, A]``; ``[C, E, N, A]`` with component scores.
        weights: the probability of each component, ``[C]`` or ``[E, C]``.
        law: the law of the joint action.
    """

    coupling: Coupling
    policies: Tensor
    weights: Float[Tensor, "*E C"]
    law: JointLaw

    @property
    def components(self) -> int:
        """C, how many components there are."""
        return self.weights.shape[-1]

    @property
    def own_policies(self) -> Float[Tensor, "E N A"]:
        """The individual policies: with component scores, the mean over the components."""
        if not self.coupling.needs.component_scores:
            return self.policies
        weights = self.weights.to(self.policies.dtype)
        if weights.dim() == 1:
            return torch.tensordot(weights, self.policies, dims=1)
        return torch.einsum("ec,cena->ena", weights, self.policies)


def joint_actions(agents: int, actions: int) -> Int[Tensor, "joint N"]:
    """Every joint action of a team.

    Args:
        agents: N.
        actions: A.
    """
    each = [torch.arange(actions)] * agents
    return torch.cartesian_prod(*each).view(-1, agents)


def law_of_game(
    case: CouplingCase,
    scene: Scene,
    coupling: Coupling,
    game: int,
) -> Float[Tensor, "C joint"]:
    """The probability of every joint action of one team in each component.

    It is what ``log_probability`` says, in the order of ``joint_actions``.

    Args:
        case: the coupling to check.
        scene: with a small team.
        coupling: which is asked.
        game: the number of the team.
    """
    joint = joint_actions(scene.spec.agents, scene.spec.actions)
    stated = case.stated(scene.repeated(game, len(joint)), coupling)
    found = []
    for index in range(stated.components):
        component = torch.full((len(joint),), index)
        found.append(stated.law.log_probability(joint, component).exp().double())
    return torch.stack(found)


def law_over_components(
    case: CouplingCase,
    scene: Scene,
    coupling: Coupling,
    stated: Stated,
) -> Tensor:
    """The probability of every joint action of a scene's only team.

    Args:
        case: the coupling to check.
        scene: of one small team.
        coupling: which is asked.
        stated: what it states about the scene.
    """
    law = law_of_game(case, scene, coupling, 0)
    weights = stated.weights.reshape(-1, stated.components)[0]
    return weights.double() @ law


def frequencies(
    law: Float[Tensor, "joint"],
    agents: int,
    actions: int,
) -> Float[Tensor, "N A"]:
    """How often each agent takes each action, by a law over all joint actions.

    Args:
        law: the probability of each joint action, in the order of ``joint_actions``.
        agents: N.
        actions: A.
    """
    table = law.view([actions] * agents)
    others = [[axis for axis in range(agents) if axis != own] for own in range(agents)]
    rows = [table.sum(axes) if axes else table for axes in others]
    return torch.stack(rows)
