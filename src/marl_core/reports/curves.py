"""Learning curves of experiments."""

from __future__ import annotations

import io
import textwrap
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from marl_core.errors import UserError
from marl_core.evaluation.statistics import bootstrap_band
from marl_core.reports.experiments import Experiment
from marl_core.runs.whole_writes import write_whole

Series = tuple[np.ndarray, np.ndarray]  # episodes, values
Band = Callable[[Float[np.ndarray, "runs points"]], Float[np.ndarray, "2 points"]]

#: Times and versions that matplotlib would write into files of these formats: equal figures are to make equal files.
_LEFT_OUT: dict[str, dict[str, Any]] = {
    "svg": {"Date": None},
    "pdf": {"CreationDate": None},
    "png": {"Software": None},
}
_LINES = ("-", "--", "-.", ":")


def draw_one(experiment: Experiment) -> Figure:
    """Return and coupling (eta, with policy resonance) over episodes; below, the mean reward by kind of level.

    Lines are means over the runs, bands reach from the lowest to the highest run, and vertical lines part the stages.
    """
    measure, kinds = experiment.measure, experiment.level_kinds
    figure = Figure(figsize=(8, 5 if kinds else 3), layout="constrained")
    axes: list[Axes] = list(
        figure.subplots(2 if kinds else 1, 1, sharex=True, squeeze=False).flat
    )
    _curve(
        axes[0],
        experiment,
        [f"{measure}/return"],
        _range,
        f"return ({measure}, greedy policy)",
        "C0",
    )
    axes[0].set_ylabel("team return")
    twin = axes[0].twinx()
    _curve(
        twin,
        experiment,
        ["coupling"],
        _range,
        "probability of resonance (training only)",
        "C7",
    )
    twin.set_ylim(0, 1)
    twin.set_ylabel("resonance probability")
    _legend_above(axes[0], twin)
    for index, (kind, names) in enumerate(kinds.items()):
        _curve(
            axes[1],
            experiment,
            [f"{measure}/{name}" for name in names],
            _range,
            f"Lv-{kind}",
            f"C{index + 1}",
        )
    if kinds:
        axes[1].set_ylabel("mean reward of a level")
        axes[1].legend(loc="lower right")
    _finish(axes, [experiment])
    seeds = ", ".join(str(result.seed) for result in experiment.results)
    figure.suptitle(
        f"{experiment.config.host.name} on {experiment.config.environment.name}, seeds {seeds}"
    )
    return figure


def draw_several(experiments: Sequence[Experiment], metric: str) -> Figure:
    """A metric over episodes, a line for each experiment, and a panel for each task of an environment.

    Lines are means over the runs, bands their 95 % bootstrap intervals (none for a single run), and vertical lines part
    the stages where all experiments of a panel have the same.
    """
    panels: dict[str, list[tuple[int, Experiment]]] = {}
    for index, experiment in enumerate(experiments):
        result = experiment.results[0]
        panels.setdefault(f"{result.environment} {result.labels['task']}", []).append(
            (index, experiment)
        )
    figure = Figure(figsize=(8, 1 + 3.2 * len(panels)), layout="constrained")
    axes: list[Axes] = list(figure.subplots(len(panels), 1, squeeze=False).flat)
    for axis, (title, members) in zip(axes, panels.items(), strict=True):
        for index, experiment in members:
            style = _LINES[index // 10 % len(_LINES)]
            _curve(
                axis,
                experiment,
                [metric],
                bootstrap_band,
                experiment.name,
                f"C{index % 10}",
                style,
            )
        axis.set_ylabel(metric)
        if len(panels) > 1:
            axis.set_title(title)
        _finish([axis], [experiment for _, experiment in members])
        if axis.get_lines() and len(experiments) > 1:
            _legend_below(axis)
    figure.suptitle("mean over seeds and its 95 % bootstrap interval")
    return figure


def figure_file(figure: Figure, out: Path) -> bytes:
    """The figure in the format that the file's ending says.

    Raises:
        UserError: the ending stands for no format that matplotlib writes.
    """
    kind = out.suffix.removeprefix(".").lower()
    if not kind:
        raise UserError(
            f"{out}: cannot write the figure: the name needs an ending, as .png"
        )
    content = io.BytesIO()
    with mpl.rc_context({"svg.hashsalt": "marl"}):
        try:
            figure.savefig(content, dpi=150, format=kind, metadata=_LEFT_OUT.get(kind))
        except ValueError as error:
            raise UserError(
                f"{out}: cannot write the figure: {' '.join(str(error).split())}"
            ) from error
    return content.getvalue()


def write_figure(content: bytes, out: Path) -> None:
    """Write what ``figure_file`` made. Raises ``UserError`` where that is not possible."""
    try:
        write_whole(out, content)
    except OSError as error:
        raise UserError(f"{out}: cannot write the figure: {error.strerror}") from error


def _range(values: Float[np.ndarray, "runs points"]) -> Float[np.ndarray, "2 points"]:
    return np.stack([values.min(axis=0), values.max(axis=0)])


def _curve(
    axis: Axes,
    experiment: Experiment,
    names: Sequence[str],
    band: Band,
    label: str,
    colour: str,
    style: str = "-",
) -> None:
    """The mean of the named metrics: over runs, with a band, at the episodes that all of the runs have reached."""
    episodes, values = _common([_series(log, names) for log in experiment.logs])
    if not len(episodes):
        return
    axis.plot(episodes, values.mean(axis=0), label=label, color=colour, linestyle=style)
    if len(values) > 1:
        low, high = band(values)
        known = np.isfinite(low) & np.isfinite(high)
        axis.fill_between(
            episodes, low, high, where=known, color=colour, alpha=0.2, linewidth=0
        )


def _series(log: Sequence[dict[str, float]], names: Sequence[str]) -> Series:
    """The mean of the named metrics at every line that has them all."""
    rows = [row for row in log if all(name in row for name in names)]
    values = np.array([[row[name] for name in names] for row in rows]).reshape(
        len(rows), len(names)
    )
    return np.array([row["episodes"] for row in rows]), values.mean(axis=1)


def _common(
    series: Sequence[Series],
) -> tuple[np.ndarray, Float[np.ndarray, "runs points"]]:
    """The runs' values at the episodes of the one with the fewest lines, as far as all of them go."""
    shortest = min((one[0] for one in series), key=len)
    if not len(shortest):
        return shortest, np.empty((len(series), 0))
    first, last = max(one[0][0] for one in series), min(one[0][-1] for one in series)
    episodes = shortest[(shortest >= first) & (shortest <= last)]
    return episodes, np.stack([np.interp(episodes, *one) for one in series])


def _legend_above(axis: Axes, twin: Axes) -> None:
    lines = [*axis.get_lines(), *twin.get_lines()]
    labels = [str(line.get_label()) for line in lines]
    axis.legend(
        lines, labels, loc="lower left", bbox_to_anchor=(0, 1), ncols=2, frameon=False
    )


def _legend_below(axis: Axes) -> None:
    """A line or more for each experiment: their names can be long."""
    handles, labels = axis.get_legend_handles_labels()
    wrapped = [textwrap.fill(label, 100) for label in labels]
    axis.legend(
        handles,
        wrapped,
        loc="upper left",
        bbox_to_anchor=(0, -0.16),
        frameon=False,
        fontsize="small",
    )


def _finish(axes: Sequence[Axes], experiments: Sequence[Experiment]) -> None:
    """Grid, label, and lines between the stages."""
    axes[-1].set_xlabel("episodes")
    stages = [
        [stage.episodes for stage in experiment.config.stages]
        for experiment in experiments
    ]
    for axis in axes:
        axis.grid(alpha=0.3)
        if all(one == stages[0] for one in stages):
            for boundary in np.cumsum(stages[0])[:-1]:
                axis.axvline(boundary, color="black", linestyle=":", linewidth=1)
