"""What a deviation of each agent seems to be worth: its signal, with intervals."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from marl_pr.diagnosis.games import Games

#: With fewer episodes in which an agent deviated, or in which it did not, nothing is said of it.
FEWEST = 20


@dataclass(frozen=True)
class Signal:
    """Each agent's signal in each window of an episode.

    Attributes:
        mean: E[G | the agent deviates] - E[G | it does not].
        error: its standard error; infinite where too few episodes say anything.
        deviating: in how many episodes the agent deviated.
        staying: in how many it did not at some step.
    """

    mean: Float[Tensor, "W N"]
    error: Float[Tensor, "W N"]
    deviating: Int[Tensor, "W N"]
    staying: Int[Tensor, "W N"]

    def interval(
        self,
        confidence: float = 0.95,
        together: int = 1,
    ) -> tuple[Float[Tensor, "W N"], Float[Tensor, "W N"]]:
        """The ends of the intervals by Student's distribution.

        Args:
            confidence: that the interval, or all of them together, hold the truth.
            together: how many intervals hold the truth at once with that confidence, by
                Bonferroni's bound.
        """
        tail = (1 - confidence) / 2 / together
        fewer = torch.minimum(
            self.deviating,
            self.staying,
        )
        freedom = (fewer - 1).clamp(min=FEWEST - 1).double()
        half = self.error * student_quantile(tail, freedom)
        return self.mean - half, self.mean + half


def signal_of(
    games: Games,
    to_go: Float[Tensor, "T E"],
    windows: Bool[Tensor, "W T E"],
    among: Bool[Tensor, "T E N"] | None = None,
) -> Signal:
    """Regress the reward to go on each agent's deviations, within each step.

    With x = D - mean(D) and y = G - mean(G), means over the games at the same step, the signal of a
    window is sum(x y) / sum(x^2) over its steps and all games: the average over steps of the
    difference of conditional means. Games are independent, steps of a game are not, so the
    standard error is that of sums over whole games.

    Args:
        games: in which agents deviated.
        to_go: G, what came after each step.
        windows: which steps belong to each of W windows.
        among: the samples of each agent that count; None: all in which it acted.
    """
    among = games.acting if among is None else among
    weight = among.double()
    total = weight.sum(1, keepdim=True).clamp(min=1)
    deviates = games.deviates.double()
    x = weight * (deviates - deviates.sum(1, keepdim=True) / total)
    outcome = to_go.double().unsqueeze(-1)
    y = weight * (outcome - (weight * outcome).sum(1, keepdim=True) / total)
    found = []
    for window in windows:
        within = among & window.unsqueeze(-1)
        found.append(_in_window(games.deviates, x, y, within))
    return Signal(*(torch.stack(part) for part in zip(*found, strict=True)))


def _in_window(
    deviates: Tensor,
    x: Tensor,
    y: Tensor,
    within: Bool[Tensor, "T E N"],
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The fields of a signal, of each agent."""
    x, y = x * within, y * within
    spread = x.square().sum((0, 1))
    divisor = torch.where(
        spread > 0,
        spread,
        1.0,
    )
    mean = (x * y).sum((0, 1)) / divisor
    of_game = (x * (y - mean * x)).sum(0)
    # The fewer games are on one side of a comparison, the more their residuals are too small.
    deviating = (within & deviates).any(0).sum(0)
    staying = (within & ~deviates).any(0).sum(0)
    fewer = torch.minimum(
        deviating,
        staying,
    ).double()
    correction = fewer / (fewer - 1).clamp(min=1)
    error = (of_game.square().sum(0) * correction).sqrt() / divisor
    enough = (fewer >= FEWEST) & (spread > 0)
    error = torch.where(
        enough,
        error,
        torch.inf,
    )
    return mean, error, deviating, staying


def student_quantile(
    tail: float,
    freedom: Float[Tensor, "*B"],
) -> Float[Tensor, "*B"]:
    """The quantile of Student's distribution that is exceeded with a small probability.

    By the expansion of Abramowitz and Stegun, 26.7.5; with 19 degrees of freedom it is off by less
    than 1 % down to a tail of 1e-4.

    Args:
        tail: the probability.
        freedom: degrees of freedom, of at least ``FEWEST - 1`` for that precision.
    """
    z = NormalDist().inv_cdf(1 - tail)
    first = (z**3 + z) / 4
    second = (5 * z**5 + 16 * z**3 + 3 * z) / 96
    third = (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384
    return z + first / freedom + second / freedom**2 + third / freedom**3
