"""``marl`` with a much shorter scale ``quick``; also a program, for tests that kill it."""

from __future__ import annotations

from marl_pr.paper.scale import SCALES, Battles, Lengths, Scale, Seeds

TINY = Scale(
    "quick",
    lengths={
        "ppo_ma": Lengths(1024, 512, 512, 2),
        "qmix": Lengths(64, 64, 512, 2),
        "conc4hist": Lengths(8, 8, 4, 2),
    },
    battles=Battles(
        agents=5,
        enemies=(120, 140),
        max_steps=4,
        batch=4,
        epochs=1,
        minibatches=2,
        entropy=0.05,
        p_min=0.1,
        test=4,
        compiled=False,
    ),
    anneal_steps=2000,
    seeds=Seeds(2, 2, 2),
    everything=False,
)

if __name__ == "__main__":
    from marl_core.cli import main

    SCALES["quick"] = TINY
    main()
