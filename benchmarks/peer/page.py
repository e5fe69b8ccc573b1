"""The table and the figure of the runs that there are."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean, median, stdev
from typing import Any, Final

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from peer.settings import COMPARISONS, OURS, WHOLE_GAMES, Comparison

#: The 0.975 quantile of Student's distribution with 2, 3 ... degrees of freedom.
_STUDENT: Final = (4.30, 3.18, 2.78, 2.57, 2.45, 2.36, 2.31, 2.26)
_COLOURS: Final = ("#0072B2", "#D55E00")
_MARK: Final = "<!-- table of runs -->"
_ABREAST: Final = 5

Run = dict[str, Any]


def write(runs: Sequence[Run], page: Path) -> None:
    """Write the figure, and put the table into the page between its two marks.

    Args:
        runs: what was found.
        page: a file of Markdown that has the mark twice; the figure is beside it.
    """
    shown = [one for one in COMPARISONS if _pairs(runs, one)]
    before, _, after = page.read_text().split(_MARK)
    rows = [
        _row(_pairs(runs, one, side), one, side)
        for one in shown
        for side in (OURS, WHOLE_GAMES)
        if _pairs(runs, one, side)
    ]
    table = "\n".join([*_HEAD, *rows])
    page.write_text(f"{before}{_MARK}\n\n{table}\n\n{_MARK}{after}")
    _figure(runs, shown).savefig(page.with_suffix(".png"), dpi=90)


_HEAD: Final = (
    "| host | task | peer | seeds | greedy: ours | peer | sampled: ours | peer "
    "| frames a CPU second: ours / peer (each seed) |",
    "|:--|:--|:--|--:|--:|--:|--:|--:|--:|",
)


def _pairs(
    runs: Sequence[Run], comparison: Comparison, ours: str = OURS
) -> list[tuple[Run, Run]]:
    """The runs of seeds that are finished on both sides: ours and the peer's."""
    mine = [one for one in runs if one["name"] == comparison.name]
    by_seed: dict[int, dict[str, Run]] = {}
    for one in mine:
        by_seed.setdefault(one["seed"], {})[one["side"]] = one
    return [
        (sides[ours], sides[comparison.peer])
        for _, sides in sorted(by_seed.items())
        if ours in sides and comparison.peer in sides
    ]


def _row(
    pairs: Sequence[tuple[Run, Run]], comparison: Comparison, side_of_ours: str
) -> str:
    ratios = [_rate(ours) / _rate(peer) for ours, peer in pairs]
    each = ", ".join(f"{ratio:.2f}" for ratio in ratios)
    cells = [
        side_of_ours.replace(OURS, comparison.algorithm),
        comparison.task.label,
        comparison.peer,
        str(len(pairs)),
        *(
            _interval([pair[side][how][-1] for pair in pairs])
            for how in ("greedy", "sampled")
            for side in (0, 1)
        ),
        f"**{median(ratios):.2f}** ({each})",
    ]
    return f"| {' | '.join(cells)} |"


def _rate(run: Run) -> float:
    return float(run["timed_frames"] / run["cpu"])


def _interval(values: Sequence[float]) -> str:
    """A mean with its 95 % interval by Student's distribution, over runs; of two, both."""
    if len(values) < 3:
        return ", ".join(f"{value:.2f}" for value in values)
    mean = fmean(values)
    half = _STUDENT[len(values) - 3] * stdev(values) / math.sqrt(len(values))
    return f"{mean:.2f} [{mean - half:.2f}, {mean + half:.2f}]"


def _figure(runs: Sequence[Run], shown: Sequence[Comparison]) -> Figure:
    rows = math.ceil(len(shown) / _ABREAST)
    figure = Figure(figsize=(3.2 * _ABREAST, 2.5 * rows), layout="constrained")
    axes = figure.subplots(rows, _ABREAST, squeeze=False)
    for axis in axes.flat[len(shown) :]:
        axis.set_axis_off()
    for axis, comparison in zip(axes.flat, shown, strict=False):
        _curves(axis, runs, comparison)
    axes[0, 0].legend(fontsize="x-small")
    return figure


def _curves(axis: Axes, runs: Sequence[Run], comparison: Comparison) -> None:
    """Every run as a thin line, their mean as a thick one."""
    pairs = _pairs(runs, comparison)
    axis.set_title(f"{comparison.algorithm}, {comparison.task.label}", fontsize="small")
    for side, (label, colour) in enumerate(
        zip((OURS, comparison.peer), _COLOURS, strict=True)
    ):
        chosen = [pair[side] for pair in pairs]
        frames = chosen[0]["frames"]
        for run in chosen:
            axis.plot(frames, run["sampled"], color=colour, alpha=0.35, linewidth=0.8)
        mean = [fmean(values) for values in zip(*_sampled(chosen), strict=True)]
        axis.plot(frames, mean, color=colour, label=label)
    axis.set_xlabel("frames", fontsize="x-small")
    axis.set_ylabel("return, sampled", fontsize="x-small")
    axis.tick_params(labelsize="x-small")


def _sampled(runs: Sequence[Run]) -> list[list[float]]:
    return [run["sampled"] for run in runs]
