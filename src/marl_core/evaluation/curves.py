"""Learning curves of runs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from marl_core.config.run import RunConfig
from marl_core.errors import UserError
from marl_core.training.loggers import read_metrics
from marl_core.training.run_folder import RunFolder
from marl_core.training.stages import environment_spec

Series = tuple[np.ndarray, np.ndarray]  # episodes, values


def draw_learning_curve(runs: Sequence[Path], out: Path) -> None:
    """Draw return and coupling (eta, with policy resonance) over episodes; below, the mean reward by kind of level.

    Lines are means over the runs, bands reach from the lowest to the highest run, and vertical lines part the stages.

    Raises:
        UserError: a folder holds no metrics, or the runs' configs differ in more than the seed.
    """
    configs = [RunFolder(path).load_config() for path in runs]
    for path, config in zip(runs, configs, strict=True):
        _refuse_another_experiment(path, _what_was_run(config), runs[0], _what_was_run(configs[0]))
    tables = [_metrics_of(RunFolder(path)) for path in runs]
    columns = {name for table in tables for row in table for name in row}
    measure = "exact" if "exact/return" in columns else "greedy"
    if f"{measure}/return" not in columns:
        raise UserError(f"{runs[0]}: the run has no evaluation yet")
    kinds: dict[str, list[str]] = {}
    for level in environment_spec(configs[0]).levels:
        kinds.setdefault(level.kind, []).append(f"{measure}/{level.name}")

    figure = Figure(figsize=(8, 5 if kinds else 3), layout="constrained")
    axes: list[Axes] = list(figure.subplots(2 if kinds else 1, 1, sharex=True, squeeze=False).flat)
    _band(
        axes[0], [_series(table, [f"{measure}/return"]) for table in tables], f"return ({measure}, greedy policy)", "C0"
    )
    axes[0].set_ylabel("team return")
    twin = axes[0].twinx()
    _band(twin, [_series(table, ["coupling"]) for table in tables], "probability of resonance (training only)", "C7")
    twin.set_ylim(0, 1)
    twin.set_ylabel("resonance probability")
    lines = [*axes[0].get_lines(), *twin.get_lines()]
    axes[0].legend(
        lines,
        [str(line.get_label()) for line in lines],
        loc="lower left",
        bbox_to_anchor=(0, 1),
        ncols=2,
        frameon=False,
    )
    for index, (kind, names) in enumerate(kinds.items()):
        _band(axes[1], [_series(table, names) for table in tables], f"Lv-{kind}", f"C{index + 1}")
    if kinds:
        axes[1].set_ylabel("mean reward of a level")
        axes[1].legend(loc="lower right")
    axes[-1].set_xlabel("episodes")
    for axis in axes:
        axis.grid(alpha=0.3)
        for boundary in np.cumsum([stage.episodes for stage in configs[0].stages])[:-1]:
            axis.axvline(boundary, color="black", linestyle=":", linewidth=1)
    seeds = ", ".join(str(config.seed) for config in configs)
    figure.suptitle(f"{configs[0].host.name} on {configs[0].environment.name}, seeds {seeds}")
    with mpl.rc_context({"svg.hashsalt": "marl"}):
        try:
            figure.savefig(out, dpi=150)
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else " ".join(str(error).split())
            raise UserError(f"{out}: cannot write the figure: {reason}") from error


def _what_was_run(config: RunConfig) -> dict[str, object]:
    """What must be equal for runs to be repetitions of each other, by the part of the config that says it."""
    stages = [(stage.episodes, config.stage_exploration(index)) for index, stage in enumerate(config.stages)]
    return {
        "environment": config.environment,
        "host": config.host,
        "stages": stages,
        "training.episodes_per_update": config.training.episodes_per_update,
    }


def _refuse_another_experiment(path: Path, own: dict[str, object], first: Path, its: dict[str, object]) -> None:
    different = [part for part in own if own[part] != its[part]]
    if different:
        message = f"{path}: differs from {first} in {' and '.join(different)}; give `marl report` one group at a time"
        raise UserError(message)


def _metrics_of(folder: RunFolder) -> list[dict[str, str]]:
    if not folder.metrics.is_file():
        raise UserError(f"{folder.path}: the run has no metrics yet: there is no metrics.csv")
    try:
        rows = read_metrics(folder.metrics)
        for row in rows:
            _ = [float(value) for value in row.values()]
    except ValueError as error:
        raise UserError(f"{folder.metrics}: this is no file of metrics: {error}") from error
    return rows


def _series(table: Sequence[dict[str, str]], names: Sequence[str]) -> Series:
    """The mean of the named metrics at every line that has them all."""
    rows = [row for row in table if all(name in row for name in names)]
    values = np.array([[float(row[name]) for name in names] for row in rows]).reshape(len(rows), len(names))
    return np.array([float(row["episodes"]) for row in rows]), values.mean(axis=1)


def _band(axis: Axes, series: Sequence[Series], label: str, colour: str) -> None:
    """Mean and range over runs, at the episodes that all of them have."""
    shortest = min(series, key=lambda one: len(one[0]))
    if not len(shortest[0]):
        return
    values = np.stack([np.interp(shortest[0], *one) for one in series])
    axis.plot(shortest[0], values.mean(axis=0), label=label, color=colour)
    if len(series) > 1:
        axis.fill_between(shortest[0], values.min(axis=0), values.max(axis=0), color=colour, alpha=0.2, linewidth=0)
