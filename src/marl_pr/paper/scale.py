"""How much is trained.

There are three scales: as much as in the paper; what two cores can do; and as little as shows that
everything works.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

Choice = TypeVar("Choice")


@dataclass(frozen=True)
class Seeds:
    """How many seeds, counted from 0, each host is trained with.

    Args:
        ppo_ma: seeds of PPO-MA.
        qmix: seeds of QMIX.
        conc4hist: seeds of Conc4Hist.
    """

    ppo_ma: int
    qmix: int
    conc4hist: int


@dataclass(frozen=True)
class Lengths:
    """How long a host is trained.

    Args:
        first: M, the episodes of the first stage.
        second: the episodes of the second stage.
        ramp: M_pr, the episodes in which eta rises.
        points: the number of evaluations in the first stage.
    """

    first: int
    second: int
    ramp: int
    points: int


@dataclass(frozen=True)
class Battles:
    """How battles of ADCA are fought and trained on.

    Args:
        agents: N, the number of guards.
        enemies: attackers for every hundred guards, where their number is varied.
        max_steps: after this number of steps a battle ends.
        batch: episodes before an update.
        parallel: the number of episodes that are played at a time.
        epochs: over the batch in an update.
        minibatches: in an epoch.
        entropy: c_H, the entropy coefficient.
        test: the number of battles of an evaluation.
    """

    agents: int
    enemies: tuple[int, ...]
    max_steps: int
    batch: int
    parallel: int
    epochs: int
    minibatches: int
    entropy: float
    test: int


@dataclass(frozen=True)
class Scale:
    """The lengths that all items share.

    Args:
        name: as it is given on the command line.
        lengths: by the registered name of the host.
        battles: of ADCA.
        anneal_steps: environment steps in which QMIX's epsilon falls.
        seeds: used in place of those that the items ask for; None leaves it to the items.
        everything: whether items vary N, eta_max and so on over all their values, or over three.
    """

    name: str
    lengths: Mapping[str, Lengths]
    battles: Battles
    anneal_steps: int
    seeds: Seeds | None = None
    everything: bool = True

    def of(self, values: Sequence[Choice]) -> tuple[Choice, ...]:
        """The values that an item really varies something over.

        Args:
            values: those at paper scale.

        Returns:
            All of them, or the first, a middle one and the last.
        """
        if self.everything or len(values) <= 3:
            return tuple(values)
        return (values[0], values[len(values) // 2], values[-1])


#: Section 6.1 and Table 3. The paper gives no length for the second stages; at the ends of these,
#: nothing changes any more. It gives none for QMIX; epsilon has reached its end after 28,571
#: episodes, and QMIX is trained for more than twice that.
PAPER = Scale(
    "paper",
    lengths={
        "ppo_ma": Lengths(262_144, 131_072, 50_000, 64),
        "qmix": Lengths(65_536, 65_536, 50_000, 64),
        "conc4hist": Lengths(83_200, 25_600, 6_400, 64),
    },
    battles=Battles(
        agents=50,
        enemies=(120, 130, 140, 150),
        max_steps=190,
        batch=64,
        parallel=64,
        epochs=24,
        minibatches=1,
        entropy=0.2,
        test=64,
    ),
    anneal_steps=200_000,
)
#: For ADCA without a GPU: ten guards. FME is as in the paper.
SMALL = replace(
    PAPER,
    name="small",
    lengths={**PAPER.lengths, "conc4hist": Lengths(6_400, 2_560, 640, 10)},
    battles=Battles(
        agents=10,
        enemies=(120, 150),
        max_steps=120,
        batch=32,
        parallel=32,
        epochs=4,
        minibatches=8,
        entropy=0.01,
        test=192,
    ),
)
#: Shows that everything works together. Its numbers mean nothing.
QUICK = Scale(
    "quick",
    lengths={
        "ppo_ma": Lengths(16_384, 8_192, 4_096, 16),
        "qmix": Lengths(8_192, 8_192, 4_096, 16),
        "conc4hist": Lengths(64, 32, 16, 4),
    },
    battles=replace(
        SMALL.battles,
        max_steps=60,
        batch=8,
        parallel=8,
        minibatches=2,
        test=16,
    ),
    anneal_steps=20_000,
    seeds=Seeds(2, 2, 2),
    everything=False,
)
SCALES = {scale.name: scale for scale in (PAPER, SMALL, QUICK)}
