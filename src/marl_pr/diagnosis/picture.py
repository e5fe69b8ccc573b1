"""A diagnosis as a picture."""

from __future__ import annotations

from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from marl_core.evaluation.statistics import Interval
from marl_core.rendering.figure_files import write_figure
from marl_pr.diagnosis.diagnosis import Diagnosis
from marl_pr.diagnosis.sentence import sentence
from marl_pr.diagnosis.signal import Signal
from marl_pr.diagnosis.text import counts_named

_BREADTH = 0.4


def write_picture(
    found: Diagnosis,
    out: Path,
) -> None:
    """Write the picture: deviators in a step, and each agent's signals.

    Args:
        found: the diagnosis.
        out: where it goes; the ending says in which format.

    Raises:
        UserError: the ending stands for no format, or the file cannot be written.
    """
    figure = Figure(figsize=(11, 4.2), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=(2, 3))
    _draw_counts(left, found)
    _draw_signals(right, found)
    figure.suptitle(sentence(found), fontsize=9, wrap=True)
    write_figure(figure, out)


def _draw_counts(
    axis: Axes,
    found: Diagnosis,
) -> None:
    kinds = (
        ("independent", found.independent_counts, -_BREADTH / 2, "tab:blue"),
        ("in resonance", found.resonant_counts, _BREADTH / 2, "tab:orange"),
    )
    for name, shares, shift, colour in kinds:
        places = [place + shift for place in range(len(shares))]
        axis.bar(
            places,
            [share.mean for share in shares],
            width=_BREADTH,
            yerr=_ends(shares),
            label=name,
            color=colour,
        )
    axis.set_xticks(range(len(found.independent_counts)), counts_named())
    axis.set_xlabel("deviators in a step")
    axis.set_ylabel("share of steps")
    axis.legend()


def _ends(
    shares: tuple[Interval, ...],
) -> list[list[float]]:
    below = [max(share.mean - share.low, 0.0) for share in shares]
    above = [max(share.high - share.mean, 0.0) for share in shares]
    return [below, above]


def _draw_signals(
    axis: Axes,
    found: Diagnosis,
) -> None:
    signals = found.signals
    kinds: tuple[tuple[str, Signal, float, str], ...] = (
        ("alone", signals.alone, -0.2, "tab:green"),
        ("its own samples", signals.independent, 0.0, "tab:blue"),
        ("in resonance", signals.resonant, 0.2, "tab:orange"),
    )
    for name, signal, shift, colour in kinds:
        _, high = signal.interval()
        mean, known = signal.mean[found.telling], signal.error[found.telling].isfinite()
        agents = known.nonzero().squeeze(-1)
        axis.errorbar(
            (agents + shift).tolist(),
            mean[known].tolist(),
            yerr=(high[found.telling] - mean)[known].tolist(),
            fmt="o",
            markersize=3,
            color=colour,
            label=name,
        )
    axis.axhline(0, color="black", linewidth=0.8)
    axis.set_xlabel(f"agent, in {found.windows[found.telling]}")
    axis.set_ylabel("worth of deviating, in return")
    axis.legend()
