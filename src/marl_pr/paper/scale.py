"""How much is trained.

As much as in the paper, in a form that two cores can do; the same with Table 3's own updates; as
much as fits an hour; and as little as shows that everything works.
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
        epochs: over the batch in an update.
        minibatches: in an epoch.
        entropy: c_H, the entropy coefficient.
        p_min: of Eq. 18.
        test: the number of battles of an evaluation.
        compiled: whether compiled kernels are used where they are there.
    """

    agents: int
    enemies: tuple[int, ...]
    max_steps: int
    batch: int
    epochs: int
    minibatches: int
    entropy: float
    p_min: float
    test: int
    compiled: bool = True


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
        warning: what every page of this scale says of its numbers; empty: nothing.
    """

    name: str
    lengths: Mapping[str, Lengths]
    battles: Battles
    anneal_steps: int
    seeds: Seeds | None = None
    everything: bool = True
    warning: str = ""

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


#: Section 6.1. The paper gives no length for the second stages; at the ends of FME's, nothing
#: changes any more, and ADCA's are as long as in the authors' program. It gives none for QMIX;
#: epsilon has reached its end after 28,571 episodes, and QMIX is trained for more than twice that.
#: ADCA: 24 steps an update as in Table 3, each on a 24th of the battles; entropy and p_min as in
#: the authors' program (examples/adca_fifty.yaml).
PAPER = Scale(
    "paper",
    lengths={
        "ppo_ma": Lengths(262_144, 131_072, 50_000, 64),
        "qmix": Lengths(65_536, 65_536, 50_000, 64),
        "conc4hist": Lengths(83_200, 20_480, 6_400, 26),
    },
    battles=Battles(
        agents=50,
        enemies=(120, 130, 140, 150),
        max_steps=190,
        batch=64,
        epochs=1,
        minibatches=24,
        entropy=0.05,
        p_min=0.15,
        test=192,
    ),
    anneal_steps=200_000,
)
#: ADCA as it is printed: 24 steps an update, each on all battles, for a GPU. FME is as above.
TABLE3 = replace(
    PAPER,
    name="table3",
    battles=replace(
        PAPER.battles,
        epochs=24,
        minibatches=1,
        entropy=0.2,
        p_min=0.1,
        test=64,
    ),
)
#: ADCA in about an hour: twenty guards, who are wiped out if they do nothing, as fifty are. FME is
#: as above.
SMALL = replace(
    PAPER,
    name="small",
    lengths={**PAPER.lengths, "conc4hist": Lengths(19_200, 5_120, 1_600, 12)},
    battles=replace(PAPER.battles, agents=20, enemies=(120, 150)),
)
#: Shows that everything works together.
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
        minibatches=2,
        test=16,
        compiled=False,
    ),
    anneal_steps=20_000,
    seeds=Seeds(2, 2, 2),
    everything=False,
    warning="**A smoke test**: nothing is learnt to the end in so short a time, so the numbers "
    "below show nothing but that everything works together.\n",
)
SCALES = {scale.name: scale for scale in (PAPER, TABLE3, SMALL, QUICK)}
