"""What every exploration strategy must satisfy."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from marl_core.joint_policy import JointPolicy, draw_components
from marl_core.protocols import ExplorationStrategy
from marl_core.testing.checking import (
    by_name,
    close,
    counts_agree,
    for_all,
    no_global_randomness,
    run_checks,
    same,
)
from marl_core.testing.strategies import ScoreBatch, progresses, score_batches, seeds
from marl_core.types import Progress

#: Says of individual policies ``[*B, N, A]`` for which agents ``[*B, N]`` Eq. 16 is deliberately given up.
Exempt = Callable[[Float[Tensor, "*B N A"], Progress], Bool[Tensor, "*B N"]]


def nobody(
    individual: Float[Tensor, "*B N A"], progress: Progress
) -> Bool[Tensor, "*B N"]:
    """Eq. 16 holds for every agent."""
    return individual.new_zeros(individual.shape[:-1], dtype=torch.bool)


@dataclass(frozen=True)
class ExplorationCase:
    """A strategy to check: how to make one, and where it departs from Eq. 16 on purpose."""

    make: Callable[[], ExplorationStrategy]
    exempt: Exempt = nobody


def check_exploration(
    make: Callable[[], ExplorationStrategy], exempt: Exempt = nobody
) -> None:
    """Run every check on the strategies that ``make()`` gives; ``AssertionError`` if one fails.

    ``exempt(individual, progress)`` marks the agents whose marginal is allowed to differ from their individual policy.
    It must not mark all of them.
    """
    run_checks(EXPLORATION_CHECKS, ExplorationCase(make, exempt))


def individual_policy_is_a_distribution(case: ExplorationCase) -> None:
    """``log_policy`` is finite and its exponential sums to 1."""
    strategy = case.make()

    @for_all(100, batch=score_batches(), progress=progresses())
    def check(batch: ScoreBatch, progress: Progress) -> None:
        log_policy = strategy.log_policy(batch.scores, batch.legal, progress)
        assert log_policy.shape == batch.scores.shape, (
            f"log_policy has shape {tuple(log_policy.shape)}"
        )
        assert log_policy.isfinite().all(), (
            "log_policy is not finite: 0 * log 0 would be NaN"
        )
        _assert_distribution(log_policy.exp(), "exp(log_policy)")


def illegal_actions_are_never_taken(case: ExplorationCase) -> None:
    """Illegal actions have probability exactly 0, in the individual policy and in every component."""
    strategy = case.make()

    @for_all(100, batch=score_batches(), progress=progresses())
    def check(batch: ScoreBatch, progress: Progress) -> None:
        if batch.legal is None:
            return
        individual = strategy.log_policy(batch.scores, batch.legal, progress).exp()
        assert (individual[~batch.legal] == 0).all(), (
            "the individual policy gives illegal actions a probability"
        )
        components = strategy.joint_policy(
            batch.scores, batch.legal, progress
        ).components
        assert (components[:, ~batch.legal] == 0).all(), (
            "a component gives illegal actions a probability"
        )


def log_policy_is_differentiable(case: ExplorationCase) -> None:
    """Gradients are finite; those by logits are those that finite differences find."""
    strategy = case.make()
    if "logits" not in strategy.accepts:
        return

    @for_all(50, batch=score_batches(), progress=progresses(), seed=seeds())
    def check(batch: ScoreBatch, progress: Progress, seed: int) -> None:
        generator = torch.Generator().manual_seed(seed)
        scores = batch.scores.clone().requires_grad_()
        log_policy = strategy.log_policy(scores, batch.legal, progress)
        assert log_policy.requires_grad, (
            "log_policy does not depend on the scores: nothing could be learnt"
        )
        legal = (
            torch.ones_like(scores, dtype=torch.bool)
            if batch.legal is None
            else batch.legal
        )
        (gradient,) = torch.autograd.grad(log_policy[legal].sum(), scores)
        assert gradient.isfinite().all(), "the gradient of log_policy is not finite"
        ordinary = torch.randn(
            scores.shape, generator=generator, dtype=torch.float64
        ).requires_grad_()
        direction = torch.randn(scores.shape, generator=generator, dtype=torch.float64)

        def value(at: Tensor) -> Tensor:
            return strategy.log_policy(at, batch.legal, progress)[legal].double().sum()

        (exact,) = torch.autograd.grad(value(ordinary), ordinary)
        step = 1e-3  # not smaller, because a strategy may compute in single precision
        with torch.no_grad():
            slope = (
                value(ordinary + step * direction) - value(ordinary - step * direction)
            ) / (2 * step)
        bound = 0.02 * (1 + float(exact.abs().sum()))
        assert abs(float((exact * direction).sum() - slope)) < bound, (
            "autograd and finite differences disagree"
        )


def joint_policy_states_the_individual_policy(case: ExplorationCase) -> None:
    """``joint_policy(...).individual`` is the exponential of ``log_policy``."""
    strategy = case.make()

    @for_all(50, batch=score_batches(), progress=progresses())
    def check(batch: ScoreBatch, progress: Progress) -> None:
        individual = strategy.joint_policy(
            batch.scores, batch.legal, progress
        ).individual
        stated = strategy.log_policy(batch.scores, batch.legal, progress).exp()
        assert close(individual, stated), (
            "joint_policy().individual is not exp(log_policy)"
        )


def weights_are_known_before_the_scores(case: ExplorationCase) -> None:
    """``component_weights(progress)`` is a distribution, and the one that ``joint_policy`` states."""
    strategy = case.make()

    @for_all(50, batch=score_batches(), progress=progresses())
    def check(batch: ScoreBatch, progress: Progress) -> None:
        weights = strategy.component_weights(progress)
        joint = strategy.joint_policy(batch.scores, batch.legal, progress)
        _assert_distribution(weights, "component_weights")
        assert close(joint.weights, weights), (
            f"joint_policy has weights {joint.weights.tolist()}, not {weights.tolist()}"
        )
        assert joint.components.shape == (len(weights), *batch.scores.shape), (
            "there is not one component for each weight"
        )


def components_are_distributions(case: ExplorationCase) -> None:
    """In every component each agent's actions have probabilities that sum to 1."""
    strategy = case.make()

    @for_all(100, batch=score_batches(), progress=progresses())
    def check(batch: ScoreBatch, progress: Progress) -> None:
        joint = strategy.joint_policy(batch.scores, batch.legal, progress)
        _assert_distribution(joint.components, "a component")


def marginal_is_the_individual_policy(case: ExplorationCase) -> None:
    """Eq. 16: over all components an agent takes each action as often as its individual policy says."""
    strategy = case.make()
    compared: list[int] = []

    @for_all(200, batch=score_batches(), progress=progresses())
    def check(batch: ScoreBatch, progress: Progress) -> None:
        joint = strategy.joint_policy(batch.scores, batch.legal, progress)
        bound = ~case.exempt(joint.individual, progress)
        compared.append(int(bound.sum()))
        error = (joint.marginal() - joint.individual).abs().amax(-1)[bound]
        assert not error.numel() or float(error.max()) < 1e-5, (
            f"the joint policy's marginal is off the individual policy by {float(error.max()):.2g} (Eq. 16)"
        )

    assert sum(compared) > 0, "every agent is exempt from Eq. 16: nothing was compared"


def sampling_follows_the_stated_law(case: ExplorationCase) -> None:
    """Joint actions that the kernel draws are as frequent as the components and their weights say."""
    strategy, draws = case.make(), 20_000
    teams = score_batches(games=(1, 1), agents=(2, 2), actions=(3, 3))

    @for_all(12, batch=teams, progress=progresses(), seed=seeds())
    def check(batch: ScoreBatch, progress: Progress, seed: int) -> None:
        joint, generator = (
            strategy.joint_policy(batch.scores, batch.legal, progress),
            torch.Generator(),
        )
        generator.manual_seed(seed)
        component = draw_components(
            strategy.component_weights(progress), draws, generator
        )
        everyone_alike = torch.zeros(draws, 2, dtype=torch.int64)
        actions = joint.sampler().draw(component, generator, everyone_alike)
        observed = torch.bincount(actions[:, 0] * 3 + actions[:, 1], minlength=9)
        expected = draws * _law_of_two(joint)
        assert counts_agree(observed.tolist(), expected.tolist()), (
            f"joint actions were drawn {observed.tolist()} times, expected {expected.round().int().tolist()}"
        )


def games_do_not_influence_each_other(case: ExplorationCase) -> None:
    """A team's policy is the same alone as among others, and with any number of leading axes."""
    strategy = case.make()

    @for_all(50, batch=score_batches(games=(2, 4)), progress=progresses())
    def check(batch: ScoreBatch, progress: Progress) -> None:
        together = strategy.joint_policy(batch.scores, batch.legal, progress)
        log_policy = strategy.log_policy(batch.scores, batch.legal, progress)
        for game in range(len(batch.scores)):
            own = batch.game(game)
            alone = strategy.joint_policy(own.scores, own.legal, progress)
            message = "a team's policy depends on the other games of the batch"
            assert close(alone.components[:, 0], together.components[:, game]), message
            assert close(
                strategy.log_policy(own.scores, own.legal, progress)[0],
                log_policy[game],
            ), message
        legal = None if batch.legal is None else batch.legal.unsqueeze(0)
        deeper = strategy.log_policy(batch.scores.unsqueeze(0), legal, progress)
        assert close(deeper.squeeze(0), log_policy), (
            "log_policy depends on how many leading axes there are"
        )


def schedules_depend_on_progress_alone(case: ExplorationCase) -> None:
    """Asked again at the same progress, whatever was asked between, a strategy says the same; so does a fresh one."""
    strategy = case.make()

    @for_all(50, batch=score_batches(), progress=progresses(), other=progresses())
    def check(batch: ScoreBatch, progress: Progress, other: Progress) -> None:
        first = _answers(strategy, batch, progress)
        _answers(strategy, batch, other)
        message = "depends on what was asked before, not on progress alone"
        for name, value in _answers(strategy, batch, progress).items():
            assert same(value, first[name]), f"{name} {message}"
        for name, value in _answers(case.make(), batch, progress).items():
            assert same(value, first[name]), f"{name} {message}"


def entropy_coefficient_is_a_number(case: ExplorationCase) -> None:
    """The entropy bonus has a finite weight that is not negative."""
    strategy = case.make()

    @for_all(20, progress=progresses())
    def check(progress: Progress) -> None:
        coefficient = strategy.entropy_coefficient(progress)
        assert 0 <= coefficient < float("inf"), f"entropy_coefficient is {coefficient}"


def exploration_leaves_global_randomness_alone(case: ExplorationCase) -> None:
    """A strategy states laws; it draws nothing."""

    @for_all(20, batch=score_batches(), progress=progresses())
    def check(batch: ScoreBatch, progress: Progress) -> None:
        with no_global_randomness("the strategy"):
            _answers(case.make(), batch, progress)


def _answers(
    strategy: ExplorationStrategy, batch: ScoreBatch, progress: Progress
) -> dict[str, Tensor]:
    joint = strategy.joint_policy(batch.scores, batch.legal, progress)
    return {
        "log_policy": strategy.log_policy(batch.scores, batch.legal, progress),
        "joint_policy": joint.components,
        "component_weights": strategy.component_weights(progress),
        "entropy_coefficient": torch.tensor(strategy.entropy_coefficient(progress)),
    }


def _assert_distribution(values: Tensor, what: str) -> None:
    assert values.isfinite().all(), f"{what} is not finite"
    assert (values >= 0).all(), (
        f"{what} has a negative probability, {float(values.min()):.3g}"
    )
    total = values.sum(-1)
    assert close(total, torch.ones_like(total)), (
        f"{what} sums to {float(total.flatten()[(total - 1).abs().argmax()]):.6g}"
    )


def _law_of_two(joint: JointPolicy) -> Float[Tensor, "pairs"]:
    """The probability of each pair of actions of a team of two, from the definition of the mixture."""
    components = joint.components[:, 0].double()
    pairs = torch.einsum(
        "c,ca,cb->ab", joint.weights.double(), components[:, 0], components[:, 1]
    )
    return pairs.flatten()


EXPLORATION_CHECKS = by_name(
    individual_policy_is_a_distribution,
    illegal_actions_are_never_taken,
    log_policy_is_differentiable,
    joint_policy_states_the_individual_policy,
    weights_are_known_before_the_scores,
    components_are_distributions,
    marginal_is_the_individual_policy,
    sampling_follows_the_stated_law,
    games_do_not_influence_each_other,
    schedules_depend_on_progress_alone,
    entropy_coefficient_is_a_number,
    exploration_leaves_global_randomness_alone,
)
