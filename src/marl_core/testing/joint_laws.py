"""What the law of every coupling must satisfy."""

from __future__ import annotations

import torch

from marl_core.joint_policy import JointPolicy
from marl_core.testing.checking import (
    assert_distribution,
    by_name,
    close,
    for_all,
)
from marl_core.testing.laws import (
    CouplingCase,
    frequencies,
    joint_actions,
    law_of_game,
    law_over_components,
)
from marl_core.testing.sampling import sampling_follows_the_stated_law
from marl_core.testing.scenes import Scene, scenes, small_scenes


def weights_are_known_before_the_scores(case: CouplingCase) -> None:
    """``weights(moment)`` is a distribution, and the law has no other.

    Why:
        The team draws before anybody scores.

    Broken by:
        Other weights in the law, a sum that is not 1.

    Args:
        case: the coupling to check.
    """

    @for_all(50, scene=scenes())
    def check(scene: Scene) -> None:
        stated = case.stated(scene)
        weights = stated.weights
        assert weights.shape in ((stated.components,), (scene.games, stated.components))
        assert_distribution(weights, "weights")
        found = stated.law.weights
        assert close(found, weights), (
            f"the law has weights {found.tolist()}, not {weights.tolist()}"
        )
        if isinstance(stated.law, JointPolicy):
            expected = (stated.components, *scene.batch.scores.shape)
            assert stated.law.components.shape == expected, (
                "there is not one component for each weight"
            )


def law_states_the_individual_policy(case: CouplingCase) -> None:
    """``law(...).individual`` is the individual policies that were given.

    With component scores it is their mean by the weights.

    Why:
        Learning and reports take it for the agents' own.

    Broken by:
        The corrected policy in its place, a mean without the weights.

    Args:
        case: the coupling to check.
    """

    @for_all(50, scene=scenes())
    def check(scene: Scene) -> None:
        stated = case.stated(scene)
        assert close(stated.law.individual, stated.own_policies), (
            "law().individual is not the individual policy"
        )


def components_are_distributions(case: CouplingCase) -> None:
    """In every component the probabilities of the joint actions sum to 1.

    Those of each agent's actions do so, too.

    Why:
        The kernel draws from them.

    Broken by:
        A correction that is not renormalised.

    Args:
        case: the coupling to check.
    """

    @for_all(100, scene=scenes())
    def check(scene: Scene) -> None:
        law = case.stated(scene).law
        if isinstance(law, JointPolicy):
            assert_distribution(law.components, "a component")

    @for_all(25, scene=small_scenes())
    def check_all_joint_actions(scene: Scene) -> None:
        law = law_of_game(
            case,
            scene,
            case.make(scene.spec),
            0,
        )
        assert_distribution(law, "the law of the joint action in a component")


def illegal_actions_stay_impossible(case: CouplingCase) -> None:
    """In every component illegal actions have probability exactly 0.

    Why:
        An environment may do anything with them.

    Broken by:
        A leader's action that is not legal for all.

    Args:
        case: the coupling to check.
    """

    @for_all(100, scene=scenes())
    def check(scene: Scene) -> None:
        law = case.stated(scene).law
        if isinstance(law, JointPolicy):
            assert (law.components[:, ~scene.legal] == 0).all(), (
                "a component gives illegal actions a probability"
            )

    @for_all(25, scene=small_scenes())
    def check_all_joint_actions(scene: Scene) -> None:
        law = law_of_game(
            case,
            scene,
            case.make(scene.spec),
            0,
        )
        joint = joint_actions(scene.spec.agents, scene.spec.actions)
        agent = torch.arange(scene.spec.agents)
        legal = scene.legal[0][agent, joint].all(-1)
        assert (law[:, ~legal] == 0).all(), (
            "a component gives illegal actions a probability"
        )


def marginal_is_the_individual_policy(case: CouplingCase) -> None:
    """Eq. 16: over all components an agent acts as its individual policy says.

    Why:
        It is what lets a host learn as if each agent explored on its own.

    Broken by:
        A coin for each agent, no correction (Eq. 17), one for another eta.

    Args:
        case: the coupling to check.
    """
    compared: list[int] = []

    @for_all(200, scene=scenes())
    def check(scene: Scene) -> None:
        stated = case.stated(scene)
        own = stated.own_policies
        bound = case.bound(stated.coupling, own, scene.progress)
        compared.append(int(bound.sum()))
        error = (stated.law.marginal() - own).abs().amax(-1)[bound]
        worst = float(error.max()) if error.numel() else 0.0
        assert worst < 1e-5, (
            f"the law's marginal is off the individual policy by {worst:.2g} (Eq. 16)"
        )

    assert sum(compared) > 0, "every agent is exempt from Eq. 16: nothing was compared"


def marginal_follows_from_the_law(case: CouplingCase) -> None:
    """``marginal()`` follows from the probabilities of all joint actions, one by one.

    Why:
        Eq. 16 is checked by it.

    Broken by:
        A marginal that is claimed and not computed.

    Args:
        case: the coupling to check.
    """

    @for_all(40, scene=small_scenes())
    def check(scene: Scene) -> None:
        coupling = case.make(scene.spec)
        stated = case.stated(scene, coupling)
        law = law_over_components(case, scene, coupling, stated)
        found = frequencies(
            law,
            scene.spec.agents,
            scene.spec.actions,
        )
        marginal = stated.law.marginal()[0].double()
        off = float((found - marginal).abs().max())
        assert off < 1e-5, f"marginal() is off the law of the joint action by {off:.2g}"


LAW_CHECKS = by_name(
    weights_are_known_before_the_scores,
    law_states_the_individual_policy,
    components_are_distributions,
    illegal_actions_stay_impossible,
    marginal_is_the_individual_policy,
    marginal_follows_from_the_law,
    sampling_follows_the_stated_law,
)
