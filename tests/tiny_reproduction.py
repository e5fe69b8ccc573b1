"""``marl`` with a scale ``quick`` that is much quicker; also as a program, for what must die."""

from __future__ import annotations

from marl_pr.paper.scale import SCALES, Scale, Seeds

TINY = Scale(
    "quick",
    first_stage=1024,
    second_stage=512,
    qmix_stage=64,
    ramp=512,
    anneal_steps=2000,
    points=2,
    seeds=Seeds(2, 2),
    everything=False,
)

if __name__ == "__main__":
    from marl_core.cli import main

    SCALES["quick"] = TINY
    main()
