"""What checks have in common: how they are run, what they draw, how they compare."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import torch
from hypothesis import HealthCheck, given, settings
from hypothesis.errors import Flaky
from hypothesis.strategies import SearchStrategy
from torch import Tensor

Case = TypeVar("Case")

#: Checks by name, in the order in which they are run.
Checks = Mapping[str, Callable[[Case], None]]

#: How far probabilities may be off: float32 sums over a dozen actions, divided by 1 - eta, stay well below.
TOLERANCE = 1e-5

#: How many standard errors a sampled mean may be off: by chance less than once in 10^8 times.
SIGMAS = 6.0


def by_name(*checks: Callable[[Case], None]) -> dict[str, Callable[[Case], None]]:
    """Checks under the names of their functions."""
    return {check.__name__: check for check in checks}


def run_checks(checks: Checks[Case], case: Case) -> None:
    """Run all checks; raise an ``AssertionError`` that names the first one that fails and says what is wrong."""
    for name, check in checks.items():
        try:
            check(case)
        except AssertionError as error:
            raise AssertionError(f"{name}: {error}") from error


def for_all(
    examples: int, **strategies: SearchStrategy[Any]
) -> Callable[[Callable[..., None]], None]:
    """Run the decorated function at once on ``examples`` drawn cases, the same in every run."""

    def run(check: Callable[..., None]) -> None:
        always = settings(
            max_examples=examples,
            deadline=None,
            derandomize=True,
            database=None,
            suppress_health_check=list(HealthCheck),
            report_multiple_bugs=False,
        )
        try:
            always(given(**strategies)(check))()
        except Flaky as error:
            raise AssertionError(
                "the same question got two answers: there is state or randomness"
            ) from error

    return run


def same(one: Tensor | None, other: Tensor | None) -> bool:
    """Whether two optional tensors are the same to the last bit."""
    if one is None or other is None:
        return one is other
    return (
        one.shape == other.shape
        and one.dtype == other.dtype
        and torch.equal(one, other)
    )


def close(one: Tensor, other: Tensor, tolerance: float = TOLERANCE) -> bool:
    """Whether two tensors have the same shape and nearly the same values."""
    return one.shape == other.shape and torch.allclose(
        one, other, rtol=tolerance, atol=tolerance
    )


@contextmanager
def no_global_randomness(what: str) -> Iterator[None]:
    """Fail if the body draws from torch's global generator."""
    before = torch.random.get_rng_state()
    yield
    assert torch.equal(before, torch.random.get_rng_state()), (
        f"{what} draws from torch's global generator"
    )


def counts_agree(
    observed: Sequence[float], expected: Sequence[float], least: float = 10.0
) -> bool:
    """Pearson's chi-square test of counts, with a bound that chance exceeds less than once in 10^8 times.

    Cells of which fewer than ``least`` are expected count as one.
    """
    pairs = list(zip(observed, expected, strict=True))
    large = [(o, e) for o, e in pairs if e >= least]
    small = [(o, e) for o, e in pairs if e < least]
    rest_observed, rest_expected = sum(o for o, _ in small), sum(e for _, e in small)
    if (
        any(o > 0 and e <= 1e-12 for o, e in small)
        or rest_observed > rest_expected + 8 * (rest_expected + least) ** 0.5
    ):
        return False
    statistic = sum((o - e) ** 2 / e for o, e in large)
    freedom = max(len(large), 1)
    # The tail of chi-square (Laurent & Massart 2000): P(X >= k + 2 sqrt(kx) + 2x) <= exp(-x), with x = 20.
    return statistic <= freedom + 2 * (20 * freedom) ** 0.5 + 40
