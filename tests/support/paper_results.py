"""Made-up results of the paper's runs, and what reads an item's table and figure."""

from __future__ import annotations

import io
from collections.abc import Sequence

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from marl_core.reports.results import RunResult
from marl_pr.paper.fig1 import Fig1
from marl_pr.paper.item import Item
from marl_pr.paper.labelled_job import LabelledJob
from marl_pr.paper.scale import QUICK, Scale, Seeds

LOGGED = (
    "exact/return",
    "exact/C1",
    "exact/C2",
    "greedy/win_rate",
    "sampled/win_rate",
    "coupling/in resonance",
)
TWO_SEEDS = Seeds(2, 2, 2)


def result_of(
    one: LabelledJob, value: float | None = None, names: Sequence[str] = LOGGED
) -> RunResult:
    """A result as the run could give it: three evaluations of every metric.

    Args:
        one: the run.
        value: of every metric at the last evaluation; None is a number of the run's own.
        names: of the metrics.
    """
    if value is None:
        seed = list(one.job.name.encode())
        value = float(np.random.default_rng(seed).random())
    config = one.job.config
    return RunResult(
        config.environment.name,
        one.labels,
        config.seed,
        (config.episodes // 4, config.episodes // 2, config.episodes),
        dict.fromkeys(names, (0.0, value / 2, value)),
    )


def made_up_results(
    item: Item, scale: Scale = QUICK, seeds: Seeds = TWO_SEEDS
) -> list[RunResult]:
    """A result of each run of an item."""
    return [_result_for(item, one) for one in item.jobs(scale, seeds)]


def _result_for(item: Item, one: LabelledJob) -> RunResult:
    if not isinstance(item, Fig1):
        return result_of(one)
    agents = range(1, int(one.labels["agents"]) + 1)
    preferences = [f"preference/{agent}" for agent in agents]
    return result_of(one, names=[*LOGGED, *preferences])


def rows_of(table: str) -> dict[str, list[str]]:
    """The cells of a table in Markdown, by the text of each row's first cell."""
    lines = [
        line.strip("| ").split(" | ")
        for line in table.splitlines()
        if line.startswith("|")
    ]
    return {cells[0]: cells[1:] for cells in lines[2:]}


def svg_of(figure: Figure) -> str:
    """A figure as text; equal figures give equal texts."""
    content = io.StringIO()
    with mpl.rc_context({"svg.hashsalt": "test"}):
        figure.savefig(content, format="svg", metadata={"Date": None})
    return content.getvalue()
