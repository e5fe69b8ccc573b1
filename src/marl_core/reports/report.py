"""``marl report``: a figure, tables and files about any runs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from rich.table import Table

from marl_core.errors import UserError
from marl_core.reports.curves import draw_one, draw_several, figure_file, write_figure
from marl_core.reports.experiments import chosen_metric, read_experiments
from marl_core.reports.results import write_marl_eval, write_tidy
from marl_core.reports.tables import final_table, improvement_tables


def report_on(
    runs: Sequence[Path],
    out: Path,
    metric: str | None = None,
    tidy: Path | None = None,
    marl_eval: Path | None = None,
) -> tuple[list[Table], list[Path]]:
    """Write the figure, and the files that are asked for.

    Args:
        runs: run folders of any experiments, finished or not.
        out: the figure's file.
        metric: what to draw and compare in place of the greedy policy's return.
        tidy: where to write every value as CSV, if anywhere.
        marl_eval: where to write them for marl-eval, if anywhere.

    Returns:
        A table for each experiment and for each comparison, and the files written.

    Raises:
        UserError: what is no run, has no such metric, or cannot be written; nothing is written then.
    """
    for path, what in ((out, "figure"), (tidy, "results"), (marl_eval, "results")):
        if path is not None:
            _check_place(path, what)
    experiments = read_experiments(runs)
    name = chosen_metric(experiments, metric)
    one = len(experiments) == 1 and metric is None
    with np.errstate(
        invalid="ignore", over="ignore"
    ):  # a run that diverged shows as NaN, and needs no warning beside
        figure = figure_file(
            draw_one(experiments[0]) if one else draw_several(experiments, name), out
        )
        tables = [final_table(experiment, metric) for experiment in experiments]
        tables += improvement_tables(experiments, metric)
    results = [result for experiment in experiments for result in experiment.results]
    # The figure last: the others can still be refused for what they would hold.
    if marl_eval is not None:
        write_marl_eval(results, marl_eval)
    if tidy is not None:
        write_tidy(results, tidy)
    write_figure(figure, out)
    return tables, [path for path in (out, tidy, marl_eval) if path is not None]


def _check_place(path: Path, what: str) -> None:
    """Raise ``UserError`` where no file can be, before anything is written."""
    if path.is_dir():
        raise UserError(f"{path}: cannot write the {what}: Is a directory")
    if not path.parent.is_dir():
        raise UserError(f"{path}: cannot write the {what}: No such file or directory")
