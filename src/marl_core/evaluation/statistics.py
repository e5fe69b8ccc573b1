"""Means and shares of independent samples, with their 95 % confidence intervals."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist

from jaxtyping import Bool, Float
from torch import Tensor

_Z = NormalDist().inv_cdf(0.975)


@dataclass(frozen=True)
class Interval:
    """A mean, or another estimate, and the ends of its 95 % confidence interval.

    Args:
        mean: the estimate.
        low: the lower end.
        high: the upper end.
    """

    mean: float
    low: float
    high: float

    def as_json(self) -> dict[str, object]:
        """The object that ``marl evaluate --json`` prints."""
        return {"mean": self.mean, "ci95": [self.low, self.high]}


def mean_interval(samples: Float[Tensor, "n"]) -> Interval:
    """The mean of independent samples, with its 95 % interval by the normal approximation.

    Args:
        samples: dozens of them, since the approximation is bad for few. The interval of a single
            one is infinite.
    """
    values = samples.double()
    count = len(values)
    mean = float(values.mean())
    half = float("inf")
    if count > 1:
        half = _Z * float(values.std()) / count**0.5
    return Interval(
        mean,
        mean - half,
        mean + half,
    )


def share_interval(outcomes: Bool[Tensor, "n"]) -> Interval:
    """The share of successes in independent trials, with its 95 % interval by Wilson's score.

    The interval is good near 0 and 1, too, and never goes beyond them.

    Args:
        outcomes: whether each trial was a success.
    """
    trials = len(outcomes)
    share = float(outcomes.double().mean())
    spread = _Z**2 / trials
    middle = (share + spread / 2) / (1 + spread)
    half = (share * (1 - share) * spread + spread**2 / 4) ** 0.5 / (1 + spread)
    low = max(0.0, middle - half)
    high = min(1.0, middle + half)
    return Interval(share, low, high)
