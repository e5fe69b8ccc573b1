"""What the figures about ADCA have in common."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from marl_core.reports.results import RunResult
from marl_pr.paper.algorithms import (
    CONC4HIST,
    CONC4HIST_LONGER,
    CONC4HIST_PR,
    CONC4HIST_PR_FAST,
)
from marl_pr.paper.first_stages import conc4hist
from marl_pr.paper.labelled_job import LabelledJob, unique
from marl_pr.paper.scale import Scale, Seeds
from marl_pr.paper.scores import Reading
from marl_pr.paper.second_stages import both_variants, longer

#: Attackers for every hundred guards, where their number is not varied.
ENEMIES: Final = 120
#: After the first stage; and after a second stage without resonance and with each variant of it.
ALGORITHMS: Final = (CONC4HIST, CONC4HIST_LONGER, CONC4HIST_PR, CONC4HIST_PR_FAST)
#: For the notes below a table.
HOW_TO_READ: Final = (
    "Share of the test battles won, without resonance in the test: mean over runs "
    "[95 % bootstrap interval over runs]. The paper does not say whether teams act greedily in "
    "tests; both are given. *Conc4Hist* is the team at the end of the first stage. *As long* has "
    "had a second stage without resonance, and is what resonance is to be compared with (the "
    "paper has no such line)."
)


def greedy_win_rate(run: RunResult) -> float:
    """The share of the test battles that the greedy team won after training.

    Args:
        run: its result.
    """
    return float(run.final("greedy/win_rate"))


def sampled_win_rate(run: RunResult) -> float:
    """The same for the team whose agents draw from their individual policies independently.

    Args:
        run: its result.
    """
    return float(run.final("sampled/win_rate"))


READINGS: Final[dict[str, Reading]] = {
    "greedy": greedy_win_rate,
    "sampled": sampled_win_rate,
}


def two_stage_jobs(
    scale: Scale, seeds: Seeds, enemies: Sequence[int]
) -> list[LabelledJob]:
    """First stages against each number of enemies, and three runs that continue each of them.

    Args:
        scale: how much is trained.
        seeds: how many seeds for each host.
        enemies: attackers for every hundred guards.
    """
    plain = [
        conc4hist(scale, share, seed)
        for share in enemies
        for seed in range(seeds.conc4hist)
    ]
    without_resonance = [longer(one, scale) for one in plain]
    return unique([*plain, *without_resonance, *both_variants(plain, scale)])


def sizes(results: Sequence[RunResult]) -> str:
    """A sentence that says how many guards fought how many attackers.

    Args:
        results: of the runs that there are.
    """
    tasks = sorted({str(run.labels["task"]) for run in results})
    return f"Guards and attackers: {', '.join(tasks) or 'no runs'}.\n"
