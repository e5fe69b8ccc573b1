"""How much is trained: as much as the paper did, or as little as shows that everything works together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

Choice = TypeVar("Choice")


@dataclass(frozen=True)
class Seeds:
    """How many seeds, from 0, each host is trained with."""

    ppo_ma: int
    qmix: int


@dataclass(frozen=True)
class Scale:
    """The lengths that all items share. Episodes, but for ``anneal_steps``.

    Attributes:
        name: as the command line gives it.
        first_stage: PPO-MA's training without resonance (M of Section 6.1).
        second_stage: its training that follows, with resonance or without.
        qmix_stage: each stage of QMIX, which makes an update of every 8 episodes in place of 512.
        ramp: M_pr, in which eta rises.
        anneal_steps: environment steps in which QMIX's epsilon falls.
        points: evaluations in the first stage.
        seeds: in place of what the items ask for; None leaves it to them.
        everything: whether the items vary N, eta_max ... over all their values, or over three of them.
    """

    name: str
    first_stage: int
    second_stage: int
    qmix_stage: int
    ramp: int
    anneal_steps: int
    points: int
    seeds: Seeds | None = None
    everything: bool = True

    def of(self, values: Sequence[Choice]) -> tuple[Choice, ...]:
        """The values that an item varies something over: all, or the first, a middle one and the last."""
        if self.everything or len(values) <= 3:
            return tuple(values)
        return (values[0], values[len(values) // 2], values[-1])


#: Section 6.1. It gives no length of the second stage, at whose end nothing changes any more, and none for QMIX:
#: there epsilon has reached its end in 28,571 episodes, and twice as long is what is trained.
PAPER = Scale(
    "paper",
    first_stage=262_144,
    second_stage=131_072,
    qmix_stage=65_536,
    ramp=50_000,
    anneal_steps=200_000,
    points=64,
)
QUICK = Scale(
    "quick",
    first_stage=16_384,
    second_stage=8_192,
    qmix_stage=8_192,
    ramp=4_096,
    anneal_steps=20_000,
    points=16,
    seeds=Seeds(2, 2),
    everything=False,
)
SCALES = {scale.name: scale for scale in (PAPER, QUICK)}
