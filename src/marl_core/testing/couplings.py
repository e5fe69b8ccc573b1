"""What every coupling must satisfy."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import get_args

import torch
from torch import Tensor

from marl_core.capabilities import Holds
from marl_core.conformance import misfits
from marl_core.joint_policy import (
    JointLaw,
    JointPolicy,
    draw_components,
    greedy_actions,
)
from marl_core.protocols import Coupling
from marl_core.testing.checking import (
    assert_distribution,
    by_name,
    close,
    counts_agree,
    for_all,
    no_global_randomness,
    run_checks,
    same,
)
from marl_core.testing.laws import (
    CouplingCase,
    Exempt,
    Stated,
    frequencies,
    joint_actions,
    law_of_game,
    nobody,
)
from marl_core.testing.learnt_couplings import LEARNT_COUPLING_CHECKS
from marl_core.testing.scenes import Scene, scenes, small_scenes
from marl_core.testing.strategies import progresses, seeds
from marl_core.types import EnvironmentSpec, Moment, Progress

#: How many joint actions are drawn to compare their frequencies with the law.
_DRAWS = 20_000


def check_coupling(
    make: Callable[[EnvironmentSpec], Coupling], exempt: Exempt = nobody
) -> None:
    """Run every check on the couplings that ``make(spec)`` gives.

    Args:
        make: builds one; often ``functools.partial(SomeCoupling, config)``.
        exempt: ``exempt(individual, progress)`` marks the agents for which it gives up Eq. 16 on
            purpose. It must not mark all of them.

    Raises:
        AssertionError: a check fails; its name and what is wrong.
    """
    run_checks(COUPLING_CHECKS, CouplingCase(make, exempt))


def coupling_has_every_member(case: CouplingCase) -> None:
    """The coupling has the members of ``Coupling``, and they fit each other.

    Each component has a name, or none has; as many components have scores of their own as there
    are; weights that differ from game to game need the whole game.

    Args:
        case: the coupling to check.
    """

    @for_all(20, scene=scenes())
    def check(scene: Scene) -> None:
        coupling = case.make(scene.spec)
        wrong = misfits(coupling, Coupling)
        assert not wrong, ", ".join(wrong)
        assert coupling.holds in get_args(Holds), f"holds is {coupling.holds!r}"
        weights = coupling.weights(scene.moment)
        count = weights.shape[-1]
        names = coupling.component_names
        assert len(names) in ({0, 1} if count == 1 else {count}), (
            f"{count} components have the names {names}"
        )
        assert len(set(names)) == len(names), f"components have equal names: {names}"
        needs = coupling.needs
        assert needs.component_scores in (0, count), (
            f"needs.component_scores is {needs.component_scores}, "
            f"but there are {count} components"
        )
        if needs.whole_game:
            return
        assert weights.dim() == 1, (
            "weights differ from game to game, so needs.whole_game must be set"
        )
        alone = coupling.weights(Moment(scene.progress, scene.moment.device))
        assert same(alone, weights), (
            "weights depend on what is seen, so needs.whole_game must be set"
        )


def weights_are_known_before_the_scores(case: CouplingCase) -> None:
    """``weights(moment)`` is a distribution, and the law has no other.

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
    """In every component the joint actions have probabilities that sum to 1, and each agent's
    actions too.

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
        law = law_of_game(case, scene, case.make(scene.spec), 0)
        assert_distribution(law, "the law of the joint action in a component")


def illegal_actions_stay_impossible(case: CouplingCase) -> None:
    """In every component illegal actions have probability exactly 0.

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
        law = law_of_game(case, scene, case.make(scene.spec), 0)
        joint = joint_actions(scene.spec.agents, scene.spec.actions)
        agent = torch.arange(scene.spec.agents)
        legal = scene.legal[0][agent, joint].all(-1)
        assert (law[:, ~legal] == 0).all(), (
            "a component gives illegal actions a probability"
        )


def marginal_is_the_individual_policy(case: CouplingCase) -> None:
    """Eq. 16: over all components an agent takes each action as often as its individual policy
    says.

    Args:
        case: the coupling to check.
    """
    compared: list[int] = []

    @for_all(200, scene=scenes())
    def check(scene: Scene) -> None:
        stated = case.stated(scene)
        own = stated.own_policies
        bound = ~case.exempt(own, scene.progress)
        compared.append(int(bound.sum()))
        error = (stated.law.marginal() - own).abs().amax(-1)[bound]
        worst = float(error.max()) if error.numel() else 0.0
        assert worst < 1e-5, (
            f"the law's marginal is off the individual policy by {worst:.2g} (Eq. 16)"
        )

    assert sum(compared) > 0, "every agent is exempt from Eq. 16: nothing was compared"


def marginal_follows_from_the_law(case: CouplingCase) -> None:
    """``marginal()`` is what comes out when all joint actions are enumerated by
    ``log_probability``.

    Args:
        case: the coupling to check.
    """

    @for_all(40, scene=small_scenes())
    def check(scene: Scene) -> None:
        coupling = case.make(scene.spec)
        stated = case.stated(scene, coupling)
        law = _over_all_components(case, scene, coupling, stated)
        found = frequencies(law, scene.spec.agents, scene.spec.actions)
        marginal = stated.law.marginal()[0].double()
        off = float((found - marginal).abs().max())
        assert off < 1e-5, f"marginal() is off the law of the joint action by {off:.2g}"


def sampling_follows_the_stated_law(case: CouplingCase) -> None:
    """Joint actions that the kernel draws are as frequent as the law and its weights say.

    Args:
        case: the coupling to check.
    """
    teams = scenes(games=(1, 1), agents=(2, 2), actions=(3, 3))

    @for_all(12, scene=teams, seed=seeds())
    def check(scene: Scene, seed: int) -> None:
        coupling = case.make(scene.spec)
        generator = torch.Generator().manual_seed(seed)
        alone = case.stated(scene, coupling)
        expected = _DRAWS * _over_all_components(case, scene, coupling, alone)
        many = case.stated(scene.repeated(0, _DRAWS), coupling)
        component = draw_components(many.weights, _DRAWS, generator)
        _check_counts(many.law.sampler().draw(component, generator), expected)
        if not alone.coupling.needs.whole_game:
            drawn = _drawn_from_table(alone.law, component, generator)
            _check_counts(drawn, expected)


def games_do_not_influence_each_other(case: CouplingCase) -> None:
    """A team's weights and law are the same alone as among others.

    Args:
        case: the coupling to check.
    """

    @for_all(50, scene=scenes(games=(2, 4)))
    def check(scene: Scene) -> None:
        coupling = case.make(scene.spec)
        together = _answers(case.stated(scene, coupling), scene)
        for game in range(scene.games):
            own = scene.game(game)
            alone = _answers(case.stated(own, coupling), own)
            for name, value in together.items():
                shared = name == "weights" and value.dim() == 1
                among = value if shared else value[game]
                one = alone[name] if shared else alone[name][0]
                assert close(one, among), (
                    f"a team's {name} depends on the other games of the batch"
                )


def schedules_depend_on_progress_alone(case: CouplingCase) -> None:
    """Asked again at the same progress, whatever was asked between, a coupling says the same.

    So does a fresh one.

    Args:
        case: the coupling to check.
    """

    @for_all(50, scene=scenes(), other=progresses())
    def check(scene: Scene, other: Progress) -> None:
        coupling = case.make(scene.spec)
        first = _answers(case.stated(scene, coupling), scene)
        later = replace(scene, progress=other)
        _answers(case.stated(later, coupling), later)
        for asked in (coupling, case.make(scene.spec)):
            for name, value in _answers(case.stated(scene, asked), scene).items():
                assert same(value, first[name]), (
                    f"{name} depends on what was asked before, not on progress alone"
                )


def coupling_leaves_global_randomness_alone(case: CouplingCase) -> None:
    """A coupling states laws; it draws nothing.

    Args:
        case: the coupling to check.
    """

    @for_all(20, scene=scenes())
    def check(scene: Scene) -> None:
        with no_global_randomness("the coupling"):
            _answers(case.stated(scene), scene)


def _over_all_components(
    case: CouplingCase, scene: Scene, coupling: Coupling, stated: Stated
) -> Tensor:
    """The probability of every joint action of the scene's only team."""
    law = law_of_game(case, scene, coupling, 0)
    weights = stated.weights.reshape(-1, stated.components)[0]
    return weights.double() @ law


def _drawn_from_table(
    law: JointLaw, component: Tensor, generator: torch.Generator
) -> Tensor:
    """Draws of many games whose agents are all in row 0 of the law."""
    agents = law.individual.shape[-2]
    everyone_alike = torch.zeros(len(component), agents, dtype=torch.int64)
    try:
        return law.sampler().draw(component, generator, everyone_alike)
    except ValueError as error:
        raise AssertionError(
            f"the law cannot be drawn from a table, so needs.whole_game must be set: {error}"
        ) from error


def _check_counts(actions: Tensor, expected: Tensor) -> None:
    """Hold draws of two agents with three actions each against how often they are expected."""
    numbers = actions[:, 0] * 3 + actions[:, 1]
    observed = torch.bincount(numbers, minlength=9).tolist()
    rounded = expected.round().int().tolist()
    assert counts_agree(observed, expected.tolist()), (
        f"joint actions were drawn {observed} times, expected {rounded}"
    )


def _answers(stated: Stated, scene: Scene) -> dict[str, Tensor]:
    """All that a coupling says about a scene: the weights first, and what else there is for each
    game.
    """
    law = stated.law
    greedy = greedy_actions(stated.own_policies)
    last = scene.legal.long().cumsum(-1).argmax(-1)
    said = []
    for index in range(stated.components):
        component = torch.full((scene.games,), index)
        for actions in (greedy, last):
            said.append(law.log_probability(actions, component))
    answers = {
        "weights": stated.weights,
        "individual policy": law.individual,
        "marginal": law.marginal(),
        "law": torch.stack(said, -1).exp(),
    }
    if isinstance(law, JointPolicy):
        answers["components"] = law.components.transpose(0, 1)
    return answers


COUPLING_CHECKS = by_name(
    coupling_has_every_member,
    weights_are_known_before_the_scores,
    law_states_the_individual_policy,
    components_are_distributions,
    illegal_actions_stay_impossible,
    marginal_is_the_individual_policy,
    marginal_follows_from_the_law,
    sampling_follows_the_stated_law,
    games_do_not_influence_each_other,
    schedules_depend_on_progress_alone,
    coupling_leaves_global_randomness_alone,
) | dict(LEARNT_COUPLING_CHECKS)
