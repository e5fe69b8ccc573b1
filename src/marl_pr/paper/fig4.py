"""Fig. 4: two-stage training in ADCA."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, final

from matplotlib.figure import Figure

from marl_core.reports.labels import Label
from marl_core.reports.results import RunResult
from marl_core.runs.folder import RunFolder
from marl_pr.paper.algorithms import (
    CONC4HIST,
    CONC4HIST_HEADS_PRACTICE,
    CONC4HIST_LESS_ENTROPY,
    CONC4HIST_LONGER,
    CONC4HIST_OWN_HEADS,
    CONC4HIST_PR,
    CONC4HIST_PR_FAST,
    CONC4HIST_PRACTICE,
)
from marl_pr.paper.battles import (
    ENEMIES,
    HOW_TO_READ,
    READINGS,
    baseline_table,
    first_stages,
    read_battles,
    runs_of,
    sizes,
    two_stage_jobs,
)
from marl_pr.paper.control_stages import (
    less_entropy,
    own_heads,
    practised,
    practised_heads,
)
from marl_pr.paper.item import Item
from marl_pr.paper.labelled_job import LabelledJob, unique
from marl_pr.paper.markdown import interval_cell, markdown_table
from marl_pr.paper.resonance_curves import Groups, resonance_plots
from marl_pr.paper.scale import Scale, Seeds
from marl_pr.paper.scores import Reading
from marl_pr.paper.shares import mean_share

#: The first stage; then its continuations. *Greedy games* and PR add one thing each to *as long*:
#: the greedy games, then the correction. So do *own heads, greedy games* and PR-Fast to *own
#: heads*.
COMPARED: Final = (
    CONC4HIST,
    CONC4HIST_LONGER,
    CONC4HIST_LESS_ENTROPY,
    CONC4HIST_PRACTICE,
    CONC4HIST_OWN_HEADS,
    CONC4HIST_HEADS_PRACTICE,
    CONC4HIST_PR,
    CONC4HIST_PR_FAST,
)


@final
class Fig4(Item):
    """The learning curve of Conc4Hist with resonance in the second stage, beside five without."""

    name = "fig4"
    title = (
        "Fig. 4: two-stage training of Conc4Hist with PR and PR-Fast, "
        f"ADCA against {ENEMIES} % enemies"
    )
    notes = (
        f"{HOW_TO_READ} Four controls ask whether it is resonance that helps: *less entropy* has "
        "had a second stage with a tenth of the entropy coefficient, *greedy games* one in which "
        "as many whole games were played greedily as under resonance, and the others as without "
        "it, *own heads* one in which only a head of each agent's own learnt, as with PR-Fast; "
        "*own heads, greedy games* had both, and is PR-Fast without the correction. "
        "The figure's bands reach from the lowest run to the highest."
    )

    def jobs(self, scale: Scale, seeds: Seeds) -> list[LabelledJob]:
        """All second stages of a seed continue the same first stage, and are as long.

        Args:
            scale: how much is trained.
            seeds: how many seeds for each host.
        """
        plain = first_stages(scale, seeds, [ENEMIES])
        controls = [control(one, scale) for control in _CONTROLS for one in plain]
        return unique([*two_stage_jobs(scale, seeds, [ENEMIES]), *controls])

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
        """A row before the second stage, and one after each kind of it; then each seed's numbers.

        Args:
            results: of the runs that there are.
        """
        rows = []
        for algorithm in COMPARED:
            runs = runs_of(results, algorithm)
            means = [mean_share(runs, reading) for reading in READINGS.values()]
            seeds = [_each(runs, reading) for reading in READINGS.values()]
            rows.append([algorithm, str(len(runs)), *map(interval_cell, means), *seeds])
        won = [f"won, {how}" for how in READINGS]
        each = [f"{how}, seed by seed" for how in READINGS]
        table = markdown_table(["algorithm", "runs", *won, *each], rows)
        parts = [sizes(results), table, baseline_table(results)]
        return "\n".join(part for part in parts if part)

    def draw(self, results: Sequence[RunResult]) -> Figure:
        """Win rates, greedy and sampled, and eta over episodes.

        Args:
            results: of the runs that there are.
        """
        groups: Groups = {name: runs_of(results, name) for name in COMPARED[1:]}
        plots = {f"battles won, {how}": f"{how}/win_rate" for how in READINGS}
        return resonance_plots(groups, plots)


_CONTROLS = (less_entropy, practised, own_heads, practised_heads)


def _each(runs: Sequence[RunResult], reading: Reading) -> str:
    """The number of every seed."""
    return " ".join(f"{reading(run):.2f}" for run in runs) or "-"
