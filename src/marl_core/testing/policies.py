"""What every individual policy must satisfy."""

from __future__ import annotations

from typing import get_args

import torch
from torch import Tensor

from marl_core.capabilities import Scores
from marl_core.conformance import misfits
from marl_core.protocols import IndividualPolicy
from marl_core.testing.checking import (
    assert_distribution,
    by_name,
    close,
    for_all,
    no_global_randomness,
    run_checks,
    same,
)
from marl_core.testing.policy_case import MakePolicy, PolicyCase, log_policy_in
from marl_core.testing.policy_densities import DENSITY_CHECKS, of_tables
from marl_core.testing.policy_gradients import log_policy_is_differentiable
from marl_core.testing.scenes import Scene, scenes
from marl_core.testing.strategies import progresses
from marl_core.types import Progress


def check_policy(make: MakePolicy) -> None:
    """Run every check on the individual policies that ``make(spec)`` gives.

    Args:
        make: builds one; often ``functools.partial(SomePolicy, config)``.

    Raises:
        AssertionError: a check fails; its name and what is wrong.
    """
    run_checks(POLICY_CHECKS, PolicyCase(make))


def policy_has_every_member(case: PolicyCase) -> None:
    """The policy has the members of ``IndividualPolicy``, and accepts some kind of scores.

    Why:
        Everything else is asked of these members.

    Broken by:
        A misspelt method, no kind of scores.

    Args:
        case: the policy to check.
    """

    @for_all(5, scene=scenes())
    def check(scene: Scene) -> None:
        policy = case.make(scene.spec)
        wrong = misfits(policy, IndividualPolicy)
        assert not wrong, ", ".join(wrong)
        accepted = policy.accepts
        assert accepted, "the policy accepts no scores"
        unknown = sorted(accepted - set(get_args(Scores)))
        assert not unknown, f"accepts names unknown scores: {unknown}"


def individual_policy_is_a_distribution(case: PolicyCase) -> None:
    """``log_policy`` is finite and its exponential sums to 1.

    Why:
        0 * log 0 is NaN in an entropy, and a gap in a sum is a bias.

    Broken by:
        ``log`` of a probability that has underflowed, -inf for illegal actions.

    Args:
        case: the policy to check.
    """

    @for_all(100, scene=scenes())
    def check(scene: Scene) -> None:
        log_policy = case.log_policy(scene)
        shape = tuple(log_policy.shape)
        assert shape == scene.batch.scores.shape, f"log_policy has shape {shape}"
        assert log_policy.isfinite().all(), (
            "log_policy is not finite: 0 * log 0 would be NaN"
        )
        assert_distribution(log_policy.exp(), "exp(log_policy)")


def illegal_actions_are_never_taken(case: PolicyCase) -> None:
    """Illegal actions have probability exactly 0.

    Why:
        An environment may do anything with them.

    Broken by:
        A mask that is ignored, or that is applied before noise.

    Args:
        case: the policy to check.
    """

    @for_all(100, scene=scenes())
    def check(scene: Scene) -> None:
        policy = case.log_policy(scene).exp()
        assert (policy[~scene.legal] == 0).all(), (
            "the individual policy gives illegal actions a probability"
        )


def games_do_not_influence_each_other(case: PolicyCase) -> None:
    """A team's policy is the same alone as among others, and with any number of leading axes.

    Why:
        A team would act otherwise when games are few.

    Broken by:
        Scores that are normalised over the batch, a fixed number of axes.

    Args:
        case: the policy to check.
    """

    @for_all(50, scene=scenes(games=(2, 4)))
    def check(scene: Scene) -> None:
        policy = case.make(scene.spec)
        together = log_policy_in(policy, scene)
        for game in range(scene.games):
            alone = log_policy_in(policy, scene.game(game))
            assert close(alone[0], together[game]), (
                "a team's policy depends on the other games of the batch"
            )
        legal = scene.batch.legal
        deeper_legal = None if legal is None else legal.unsqueeze(0)
        deeper_scores = scene.batch.scores.unsqueeze(0)
        deeper = policy.log_policy(
            deeper_scores,
            deeper_legal,
            scene.progress,
        )
        assert close(deeper.squeeze(0), together), (
            "log_policy depends on how many leading axes there are"
        )


def schedules_depend_on_progress_alone(case: PolicyCase) -> None:
    """Asked again at the same progress, whatever was asked between, a policy says the same.

    So does a fresh one.

    Why:
        Evaluation and learning ask as often as they like, and a resumed run asks anew.

    Broken by:
        A ``step()`` that counts calls, a cache.

    Args:
        case: the policy to check.
    """

    @for_all(50, scene=scenes(), other=progresses())
    def check(scene: Scene, other: Progress) -> None:
        policy = case.make(scene.spec)
        first = _answers(policy, scene)
        _answers(
            policy,
            Scene(
                scene.batch,
                scene.seen,
                other,
            ),
        )
        for asked in (policy, case.make(scene.spec)):
            for name, value in _answers(asked, scene).items():
                assert same(value, first[name]), (
                    f"{name} depends on what was asked before, not on progress alone"
                )


def entropy_coefficient_is_a_number(case: PolicyCase) -> None:
    """The entropy bonus has a finite weight that is not negative.

    Why:
        It goes into the loss as it is.

    Broken by:
        A sign, a tensor, a division by 0 at the beginning.

    Args:
        case: the policy to check.
    """

    @for_all(20, scene=scenes())
    def check(scene: Scene) -> None:
        coefficient = case.make(scene.spec).entropy_coefficient(scene.progress)
        assert 0 <= coefficient < float("inf"), f"entropy_coefficient is {coefficient}"


def policy_leaves_global_randomness_alone(case: PolicyCase) -> None:
    """A policy states frequencies; it draws nothing.

    Why:
        The kernel alone draws.

    Broken by:
        Noise on scores, sampled temperatures.

    Args:
        case: the policy to check.
    """

    @for_all(20, scene=scenes())
    def check(scene: Scene) -> None:
        with no_global_randomness("the policy"):
            _answers(case.make(scene.spec), scene)


def scores_are_only_read(case: PolicyCase) -> None:
    """A policy writes neither into the scores nor into the mask that it is given.

    Why:
        The host learns through the very same tensor.

    Broken by:
        ``masked_fill_`` and its like.

    Args:
        case: the policy to check.
    """

    @for_all(20, scene=scenes())
    def check(scene: Scene) -> None:
        scores = scene.batch.scores.clone()
        mask = None if scene.batch.legal is None else scene.batch.legal.clone()
        case.log_policy(scene)
        assert same(scene.batch.scores, scores), "log_policy writes into the scores"
        assert same(scene.batch.legal, mask), "log_policy writes into the mask"


def low_precision_scores_are_enough(case: PolicyCase) -> None:
    """Of scores in bfloat16, as mixed precision gives them, probabilities sum to 1 as precisely.

    Why:
        With ``precision: bf16-mixed`` scores have three digits, and probabilities are to sum to 1.

    Broken by:
        A softmax in the scores' own type: use ``at_least_single``.

    Args:
        case: the policy to check.
    """

    @for_all(50, scene=scenes())
    def check(scene: Scene) -> None:
        policy = case.make(scene.spec)
        coarse = scene.batch.scores.bfloat16()
        log_policy = policy.log_policy(coarse, scene.batch.legal, scene.progress)
        assert_distribution(log_policy.double().exp(), "exp(log_policy) in bfloat16")


def _answers(policy: IndividualPolicy, scene: Scene) -> dict[str, Tensor]:
    coefficient = policy.entropy_coefficient(scene.progress)
    return {
        "log_policy": log_policy_in(policy, scene),
        "entropy_coefficient": torch.tensor(coefficient),
    }


POLICY_CHECKS = {
    **by_name(
        policy_has_every_member,
        of_tables(policy_leaves_global_randomness_alone),
        of_tables(schedules_depend_on_progress_alone),
        of_tables(scores_are_only_read),
        of_tables(individual_policy_is_a_distribution),
        of_tables(illegal_actions_are_never_taken),
        of_tables(log_policy_is_differentiable),
        of_tables(games_do_not_influence_each_other),
        entropy_coefficient_is_a_number,
        of_tables(low_precision_scores_are_enough),
    ),
    **DENSITY_CHECKS,
}
