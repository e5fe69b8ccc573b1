"""From signals to a verdict: does the team have the problem?"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from marl_pr.diagnosis.games import Games
from marl_pr.diagnosis.signal import Signal

Answer = Literal["problem", "none", "unknown"]

#: A signal below this share of what a deviation is worth alone has drowned.
DROWNED = 0.1
#: Deviating throughout a window counts from this share of a standard deviation on.
WORTH = 0.25
#: The most episodes that are advised, as a multiple of those that were played.
_MOST_TIMES = 100


@dataclass(frozen=True)
class Verdict:
    """What the signals say of each agent in each window, and of the team.

    Attributes:
        answer: the team has the problem, does not show it, or cannot be told.
        lost: deviating alone would help the team, and the agent's own signal says nothing of it, or
            the opposite.
        unclear: neither that nor its contrary can be told.
        held: deviating alone would harm the team, and the agent's own signal says it would help.
        heard: of the lost, those to whom resonance tells that it would help.
        episodes: how many would be likely to settle what is unclear.
    """

    answer: Answer
    lost: Bool[Tensor, "W N"]
    unclear: Bool[Tensor, "W N"]
    held: Bool[Tensor, "W N"]
    heard: Bool[Tensor, "W N"]
    episodes: int


@dataclass(frozen=True)
class Signals:
    """The signals of one team.

    Attributes:
        alone: in a team that is greedy but for the agent.
        independent: among agents that explore independently: what the agent learns from.
        resonant: among agents that explore in resonance.
    """

    alone: Signal
    independent: Signal
    resonant: Signal


def least_worth(
    games: Games,
    to_go: Float[Tensor, "T E"],
    windows: Bool[Tensor, "W T E"],
) -> Float[Tensor, "W"]:
    """The least worth of a deviation that counts, in each window, by one way of play.

    It is sd(G) ``WORTH``/sqrt(m), where m is the number of the window's steps and sd(G) is taken
    over games at the same step. An agent that deviates in all m steps then moves their sum by
    ``WORTH`` of its standard deviation, if steps are independent.

    Args:
        games: that were played.
        to_go: G.
        windows: which steps belong to each window.
    """
    played = games.valid.sum(1, keepdim=True).clamp(min=1)
    mean = (to_go * games.valid).sum(1, keepdim=True) / played
    square = (to_go - mean).square()
    samples = windows.sum((1, 2)).clamp(min=1)
    variance = (square * windows).sum((1, 2)) / samples
    lengths = samples / windows.any(1).sum(1).clamp(min=1)
    return WORTH * (variance / lengths.clamp(min=1)).sqrt()


def verdict_of(
    signals: Signals,
    worth: Float[Tensor, "W"],
    episodes: int,
) -> Verdict:
    """Judge a team.

    That one agent somewhere is lost is said where all intervals together hold the truth with 95 %.
    That none is lost needs every agent to be seen to be not, and so each interval alone is enough
    (an intersection-union test).

    Args:
        signals: the team's.
        worth: the least worth of a deviation that counts, in each window.
        episodes: with which the signals were measured.
    """
    least = worth.unsqueeze(-1)
    lost = _lost(signals, least)
    unclear = ~lost & ~_seen_not_lost(signals, least)
    resonant_low, _ = signals.resonant.interval()
    own_low, _ = signals.independent.interval()
    _, high = signals.alone.interval()
    return Verdict(
        _answer(lost, unclear),
        lost,
        unclear,
        (high < 0) & (own_low > 0),
        lost & (resonant_low > 0),
        _episodes(signals, unclear, least, episodes),
    )


def _lost(
    signals: Signals,
    least: Float[Tensor, "W 1"],
) -> Bool[Tensor, "W N"]:
    together = 2 * signals.alone.mean.numel()
    low, _ = signals.alone.interval(together=together)
    _, own_high = signals.independent.interval(together=together)
    return (low > least) & (own_high < DROWNED * low)


def _seen_not_lost(
    signals: Signals,
    least: Float[Tensor, "W 1"],
) -> Bool[Tensor, "W N"]:
    """Deviating alone is worth too little, the agent's own signal tells, or it never deviates."""
    alone, own = signals.alone, signals.independent
    _, high = alone.interval()
    own_low, _ = own.interval()
    never = (alone.deviating == 0) & (own.deviating == 0)
    return (high <= least) | (own_low > DROWNED * high.clamp(min=0)) | never


def _answer(
    lost: Tensor,
    unclear: Tensor,
) -> Answer:
    if bool(lost.any()):
        return "problem"
    return "unknown" if bool(unclear.any()) else "none"


def _episodes(
    signals: Signals,
    unclear: Bool[Tensor, "W N"],
    worth: Float[Tensor, "W 1"],
    episodes: int,
) -> int:
    """How many are likely to settle the unclear cells, if their means stay as they are.

    Intervals shrink with the square root of the number. An agent whose mean is at the very edge
    would need any number of them; it is taken to be off it by half of what a deviation must be
    worth.
    """
    if not bool(unclear.any()):
        return episodes
    alone, own = signals.alone, signals.independent
    edge = worth / 2
    from_worth = _times(alone, alone.mean - worth, edge)
    from_drowned = _times(own, own.mean - DROWNED * alone.mean, edge)
    times = torch.where(
        alone.mean > worth,
        from_worth + from_drowned,
        from_worth,
    )
    most = float(times[unclear].max())
    factor = min(max(most, 2.0), float(_MOST_TIMES))
    digits = 10 ** (len(str(int(episodes * factor))) - 2)
    return math.ceil(episodes * factor / digits) * digits


def _times(
    signal: Signal,
    distance: Float[Tensor, "W N"],
    edge: Tensor,
) -> Float[Tensor, "W N"]:
    _, high = signal.interval()
    distance = torch.maximum(distance.abs(), edge)
    return ((high - signal.mean) / distance).square().nan_to_num(_MOST_TIMES)
