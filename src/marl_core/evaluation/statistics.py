"""Means and their confidence intervals."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist

from jaxtyping import Bool, Float
from torch import Tensor

_Z = NormalDist().inv_cdf(0.975)


@dataclass(frozen=True)
class Interval:
    """A mean and the ends of its 95 % confidence interval."""

    mean: float
    low: float
    high: float

    def as_json(self) -> dict[str, object]:
        """As ``marl evaluate --json`` prints it."""
        return {"mean": self.mean, "ci95": [self.low, self.high]}


def mean_interval(samples: Float[Tensor, "n"]) -> Interval:
    """The mean of independent samples with its 95 % interval by the normal approximation (use dozens of samples)."""
    values = samples.double()
    mean = float(values.mean())
    half = _Z * float(values.std()) / len(values) ** 0.5 if len(values) > 1 else float("inf")
    return Interval(mean, mean - half, mean + half)


def share_interval(outcomes: Bool[Tensor, "n"]) -> Interval:
    """The share of successes in independent trials with its 95 % interval by Wilson's score, also near 0 and 1."""
    trials, share = len(outcomes), float(outcomes.double().mean())
    spread = _Z**2 / trials
    middle = (share + spread / 2) / (1 + spread)
    half = (share * (1 - share) * spread + spread**2 / 4) ** 0.5 / (1 + spread)
    return Interval(share, middle - half, middle + half)
