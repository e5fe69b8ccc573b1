"""What checks have in common: how they are run, what they draw, how they compare."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any, TypeVar

import numpy as np
import torch
from hypothesis.strategies import SearchStrategy
from torch import Tensor

from marl_core.testing.examples import find_failure
from marl_core.testing.verdicts import (
    BrokenRuleError,
    NotApplicableError,
    said,
)

Case = TypeVar("Case")

#: Checks by name, in the order in which they are run.
Checks = Mapping[str, Callable[[Case], None]]

#: How far probabilities may be off: float32 sums over a dozen actions, divided by 1 - eta, stay
#: well below.
TOLERANCE = 1e-5

#: How many standard errors a sampled mean may be off: by chance less than once in 10^8 times.
SIGMAS = 6.0


def by_name(*checks: Callable[[Case], None]) -> dict[str, Callable[[Case], None]]:
    """Checks under the names of their functions.

    Args:
        checks: each takes a case and raises an ``AssertionError`` if it fails.
    """
    return {check.__name__: check for check in checks}


def run_checks(checks: Checks[Case], case: Case) -> None:
    """Run all checks; those that ask nothing of this part are passed over.

    Args:
        checks: by name.
        case: what is checked.

    Raises:
        BrokenRuleError: a check fails; names the first one, and says what is wrong.
    """
    for name, check in checks.items():
        with suppress(NotApplicableError):
            run_check(name, check, case)


def run_check(name: str, check: Callable[[Case], None], case: Case) -> None:
    """Run one check.

    Args:
        name: of the rule.
        check: sees whether it is kept.
        case: what is checked.

    Raises:
        BrokenRuleError: it is not; says by its name which.
        NotApplicableError: it asks nothing of this part.
    """
    try:
        check(case)
    except BrokenRuleError as error:
        raise BrokenRuleError(error.message, error.example, name) from error
    except AssertionError as error:
        raise BrokenRuleError(said(error), rule=name) from error


def for_all(
    examples: int, **strategies: SearchStrategy[Any]
) -> Callable[[Callable[..., None]], None]:
    """Run the decorated function at once on drawn examples, the same in every run.

    Args:
        examples: how many are drawn.
        strategies: where the function's arguments come from, by name.
    """

    def run(check: Callable[..., None]) -> None:
        find_failure(check, examples, strategies)

    return run


def same(one: Tensor | None, other: Tensor | None) -> bool:
    """Whether two optional tensors are the same to the last bit.

    Args:
        one: a tensor, or None.
        other: a tensor, or None.
    """
    if one is None or other is None:
        return one is other
    alike = one.shape == other.shape and one.dtype == other.dtype
    return alike and torch.equal(one, other)


def close(
    one: Tensor,
    other: Tensor,
    tolerance: float = TOLERANCE,
) -> bool:
    """Whether two tensors have the same shape and nearly the same values.

    Args:
        one: a tensor.
        other: a tensor.
        tolerance: how far values may be off, absolutely and relatively.
    """
    if one.shape != other.shape:
        return False
    return torch.allclose(
        one,
        other,
        rtol=tolerance,
        atol=tolerance,
    )


def assert_distribution(values: Tensor, what: str) -> None:
    """See that the last axis holds probabilities that sum to 1.

    Args:
        values: the probabilities, ``[..., outcomes]``.
        what: a name for them.

    Raises:
        AssertionError: they do not.
    """
    assert values.isfinite().all(), f"{what} is not finite"
    least = float(values.min())
    assert least >= 0, f"{what} has a negative probability, {least:.3g}"
    total = values.sum(-1)
    worst = float(total.flatten()[(total - 1).abs().argmax()])
    assert close(total, torch.ones_like(total)), f"{what} sums to {worst:.6g}"


@contextmanager
def no_global_randomness(what: str) -> Iterator[None]:
    """Fail if the body draws from a global generator: torch's, NumPy's or Python's.

    Args:
        what: a name for what the body runs.

    Raises:
        AssertionError: it does.
    """
    before = _global_generators()
    yield
    for owner, state in _global_generators().items():
        assert state == before[owner], f"{what} draws from {owner}'s global generator"


def _global_generators() -> dict[str, object]:
    """The states of the generators that a program has without making any."""
    kind, keys, *rest = np.random.get_state()  # noqa: NPY002
    return {
        "torch": torch.random.get_rng_state().numpy().tobytes(),
        "NumPy": (kind, np.asarray(keys).tobytes(), *rest),
        "Python": random.getstate(),
    }


def counts_agree(
    observed: Sequence[float],
    expected: Sequence[float],
    least: float = 10.0,
) -> bool:
    """Pearson's chi-square test of counts.

    Chance exceeds its bound less than once in 10^8 times.

    Args:
        observed: how often each outcome was seen.
        expected: how often it was expected.
        least: outcomes of which fewer are expected count as one.
    """
    pairs = list(zip(observed, expected, strict=True))
    large = [pair for pair in pairs if pair[1] >= least]
    small = [pair for pair in pairs if pair[1] < least]
    if any(seen > 0 and wanted <= 1e-12 for seen, wanted in small):
        return False
    rest_observed = sum(seen for seen, _ in small)
    rest_expected = sum(wanted for _, wanted in small)
    if rest_observed > rest_expected + 8 * (rest_expected + least) ** 0.5:
        return False
    statistic = sum((seen - wanted) ** 2 / wanted for seen, wanted in large)
    freedom = max(len(large), 1)
    # The tail of chi-square (Laurent & Massart 2000):
    # P(X >= k + 2 sqrt(kx) + 2x) <= exp(-x), with x = 20.
    return statistic <= freedom + 2 * (20 * freedom) ** 0.5 + 40
