"""Fig. 6: the win rate over the number of enemies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import final

from matplotlib.figure import Figure

from marl_core.evaluation.statistics import Interval
from marl_core.reports.labels import Label
from marl_core.reports.results import RunResult
from marl_core.runs.folder import RunFolder
from marl_pr.paper.battles import (
    ALGORITHMS,
    HOW_TO_READ,
    READINGS,
    baseline_table,
    greedy_win_rate,
    read_battles,
    sizes,
    two_stage_jobs,
)
from marl_pr.paper.drawing import add_legend, one_axis
from marl_pr.paper.interval_bars import bars_of_each, what_bars_show
from marl_pr.paper.item import Item
from marl_pr.paper.labelled_job import LabelledJob
from marl_pr.paper.markdown import comparison_table
from marl_pr.paper.scale import Scale, Seeds
from marl_pr.paper.scores import Reading, select, values_of
from marl_pr.paper.shares import mean_share


@final
class Fig6(Item):
    """Win rates against several numbers of enemies, each of which is a task of its own.

    A team is tested against as many enemies as it was trained against.
    """

    name = "fig6"
    title = "Fig. 6: win rate over the number of enemies, ADCA"
    notes = (
        f"{HOW_TO_READ} Every team is tested against as many enemies as it was trained against. "
        "What the paper says of its figure, for 50 guards: against 120 % enemies 50 % before "
        "resonance, above 80 % with PR, above 95 % with PR-Fast; against 150 % about 10 % more "
        "with PR-Fast. Our figure shows greedy teams."
    )

    def jobs(self, scale: Scale, seeds: Seeds) -> list[LabelledJob]:
        """First stages against each number of enemies, and three runs that continue each.

        Args:
            scale: how much is trained.
            seeds: how many seeds for each host.
        """
        return two_stage_jobs(scale, seeds, scale.battles.enemies)

    def read(self, folder: RunFolder, labels: Mapping[str, Label]) -> RunResult:
        """The results of a run; with one of them, those of teams without learning.

        Args:
            folder: of the run.
            labels: of the run.

        Raises:
            UserError: the run cannot be read.
        """
        return read_battles(folder, labels)

    def table(self, results: Sequence[RunResult]) -> str:
        """A table of greedy teams and one of teams that sample.

        Each has a row for each number of enemies, and a column for each algorithm.

        Args:
            results: of the runs that there are.
        """
        parts = [sizes(results)]
        for how, reading in READINGS.items():
            parts.append(f"{how.capitalize()}:\n\n{_table(results, reading)}")
        parts.append(baseline_table(results))
        return "\n".join(part for part in parts if part)

    def draw(self, results: Sequence[RunResult]) -> Figure:
        """A line for each algorithm.

        Args:
            results: of the runs that there are.
        """
        figure, axis = one_axis(
            "enemies, % of the team", "battles won by the greedy team"
        )
        bars_of_each(axis, results, ALGORITHMS, "enemies", greedy_win_rate)
        axis.set_xticks(values_of(results, "enemies"))
        add_legend(axis, title=what_bars_show(results))
        return figure


def _table(results: Sequence[RunResult], reading: Reading) -> str:
    def cell(share: float, algorithm: str) -> Interval | None:
        runs = select(results, enemies=share, algorithm=algorithm)
        return mean_share(runs, reading)

    shares = values_of(results, "enemies")
    rows = {f"{share:g} %": share for share in shares}
    return comparison_table("enemies", rows, ALGORITHMS, cell)
