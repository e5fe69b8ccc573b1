"""``marl report``: a figure, tables and files about any runs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from rich.table import Table

from marl_core.rendering.figure_files import figure_file
from marl_core.reports.experiments import Experiment, compared_metrics
from marl_core.reports.marl_eval_file import write_marl_eval
from marl_core.reports.one_experiment import draw_one
from marl_core.reports.reading import read_experiments
from marl_core.reports.results import RunResult
from marl_core.reports.several_experiments import draw_several
from marl_core.reports.tables import final_table, improvement_tables
from marl_core.reports.tidy_file import write_tidy
from marl_core.runs.whole_writes import check_output, write_output


def report_on(
    runs: Sequence[Path],
    out: Path,
    metric: str | None = None,
    tidy: Path | None = None,
    marl_eval: Path | None = None,
    *,
    trust: bool = False,
) -> tuple[list[Table], list[Path]]:
    """Write the figure, and the files that are asked for.

    Args:
        runs: run folders of any experiments, finished or not.
        out: the figure's file.
        metric: what to draw and compare in place of the greedy policy's return and win rate.
        tidy: where to write every value as CSV, if anywhere.
        marl_eval: where to write every value for marl-eval, if anywhere.
        trust: whether the code that the run folders name may be run.

    Returns:
        A table for each experiment and for each comparison, and the files written.

    Raises:
        UserError: a folder is no run, a run has no such metric, or a file cannot be written; in the
            first two cases nothing is written.
    """
    _check_outputs(out, tidy, marl_eval)
    experiments = read_experiments(runs, trust=trust)
    # A run that diverged shows as NaN, and needs no warning beside that.
    with np.errstate(invalid="ignore", over="ignore"):
        figure = figure_file(_draw(experiments, metric), out)
        tables = [final_table(experiment, metric) for experiment in experiments]
        tables += improvement_tables(experiments, metric)
    results: list[RunResult] = []
    for experiment in experiments:
        results += experiment.results
    # The figure is written last: the others can still be refused for what they would hold.
    if marl_eval is not None:
        write_marl_eval(results, marl_eval)
    if tidy is not None:
        write_tidy(results, tidy)
    write_output(out, figure, "figure")
    written = [path for path in (out, tidy, marl_eval) if path is not None]
    return tables, written


def _draw(
    experiments: Sequence[Experiment],
    metric: str | None,
) -> Figure:
    metrics = compared_metrics(experiments, metric)
    if len(experiments) == 1 and metric is None:
        return draw_one(experiments[0])
    return draw_several(experiments, metrics)


def _check_outputs(
    out: Path,
    tidy: Path | None,
    marl_eval: Path | None,
) -> None:
    check_output(out, "figure")
    for results in (tidy, marl_eval):
        if results is not None:
            check_output(results, "results")
