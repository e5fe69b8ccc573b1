"""What the figures about ADCA have in common."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from marl_core.config.run import RunConfig
from marl_core.reports.labels import Label
from marl_core.reports.results import RunResult
from marl_core.reports.run_log import read_run
from marl_core.runs.folder import RunFolder
from marl_pr.paper.algorithms import (
    CONC4HIST,
    CONC4HIST_LONGER,
    CONC4HIST_OWN_HEADS,
    CONC4HIST_PR,
    CONC4HIST_PR_FAST,
)
from marl_pr.paper.baselines import baseline_win_rates
from marl_pr.paper.first_stages import conc4hist
from marl_pr.paper.fixed_settings import ETA_MAX
from marl_pr.paper.labelled_job import LabelledJob, unique
from marl_pr.paper.markdown import interval_cell, markdown_table
from marl_pr.paper.scale import Scale, Seeds
from marl_pr.paper.scores import Reading, select
from marl_pr.paper.second_stages import both_variants, longer
from marl_pr.paper.shares import share_of_trials

#: Attackers for every hundred guards, where their number is not varied.
ENEMIES: Final = 120
#: After the first stage; and after a second stage without resonance and with each variant of it.
ALGORITHMS: Final = (CONC4HIST, CONC4HIST_LONGER, CONC4HIST_PR, CONC4HIST_PR_FAST)
#: For the notes below a table.
HOW_TO_READ: Final = (
    "Share of the test battles won, without resonance in the test: mean over runs "
    "[95 % bootstrap interval over runs]. Where all runs win all battles, or none, the interval is "
    "that of Clopper and Pearson, a run being one trial. The paper does not say whether teams act "
    "greedily in tests; both are given. *Conc4Hist* is the team at the end of the first stage. *As "
    "long* has had a second stage without resonance, and is what resonance is to be compared with "
    "(the paper has no such line)."
)
#: Teams that have learnt nothing, by the names of their metrics.
BASELINES: Final = {
    "nothing/win_rate": "does nothing",
    "random/win_rate": "acts at random",
}
_BATTLES = "baseline/battles"


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


def read_battles(folder: RunFolder, labels: Mapping[str, Label]) -> RunResult:
    """The results of a run; with the first seed's first stage, those of teams without learning.

    Args:
        folder: of the run.
        labels: of the run.

    Raises:
        UserError: the run cannot be read.
    """
    run = read_run(folder, labels)
    if run.seed != 0 or labels["algorithm"] != CONC4HIST:
        return run
    return with_baselines(run, folder.load_config())


def with_baselines(run: RunResult, config: RunConfig) -> RunResult:
    """A run's results, with those of teams without learning on its task.

    Args:
        run: its results.
        config: of the run.
    """
    found = baseline_win_rates(config)
    known = {
        "nothing/win_rate": found.greedy.mean,
        "random/win_rate": found.sampled.mean,
        _BATTLES: float(config.training.evaluation_episodes),
    }
    often = len(run.episodes)
    series = {name: (value,) * often for name, value in known.items()}
    return replace(run, metrics={**run.metrics, **series})


def baseline_table(results: Sequence[RunResult]) -> str:
    """A table of the teams that have learnt nothing; empty where no run brought it.

    Args:
        results: of the runs that there are.
    """
    rows = []
    for run in results:
        if _BATTLES not in run.metrics:
            continue
        battles = round(run.final(_BATTLES))
        for metric, what in BASELINES.items():
            share = share_of_trials(run.final(metric), battles)
            task = str(run.labels["task"])
            rows.append([f"{task}, {what}", str(battles), interval_cell(share)])
    if not rows:
        return ""
    table = markdown_table(["a team that", "battles", "won"], sorted(rows))
    return f"Without learning, with 95 % intervals over battles:\n\n{table}"


def runs_of(results: Sequence[RunResult], algorithm: str) -> list[RunResult]:
    """The runs of an algorithm, in the order of their seeds.

    PR-Fast with an eta of 0 is what Fig. 4 calls *own heads*.

    Args:
        results: to choose from.
        algorithm: by the name that tables give it.
    """
    if algorithm == CONC4HIST_OWN_HEADS:
        return select(results, algorithm=CONC4HIST_PR_FAST, eta_max=0)
    if algorithm == CONC4HIST_PR_FAST:
        return select(results, algorithm=algorithm, eta_max=ETA_MAX)
    return select(results, algorithm=algorithm)


def two_stage_jobs(
    scale: Scale, seeds: Seeds, enemies: Sequence[int]
) -> list[LabelledJob]:
    """First stages against each number of enemies, and three runs that continue each of them.

    Args:
        scale: how much is trained.
        seeds: how many seeds for each host.
        enemies: attackers for every hundred guards.
    """
    plain = first_stages(scale, seeds, enemies)
    without_resonance = [longer(one, scale) for one in plain]
    return unique([*plain, *without_resonance, *both_variants(plain, scale)])


def first_stages(
    scale: Scale, seeds: Seeds, enemies: Sequence[int]
) -> list[LabelledJob]:
    """First stages against each number of enemies.

    Args:
        scale: how much is trained.
        seeds: how many seeds for each host.
        enemies: attackers for every hundred guards.
    """
    return [
        conc4hist(scale, share, seed)
        for share in enemies
        for seed in range(seeds.conc4hist)
    ]


def sizes(results: Sequence[RunResult]) -> str:
    """A sentence that says how many guards fought how many attackers.

    Args:
        results: of the runs that there are.
    """
    tasks = sorted({str(run.labels["task"]) for run in results})
    return f"Guards and attackers: {', '.join(tasks) or 'no runs'}.\n"
