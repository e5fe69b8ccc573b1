"""Reports over many runs, and over long ones, take bounded memory."""

from __future__ import annotations

import json
import subprocess
import sys
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from marl_core.evaluation import bootstrap
from marl_core.evaluation.bootstrap import (
    bootstrap_band,
    bootstrap_interval,
    interquartile_mean,
)
from marl_core.reports.panels import column_of_panels, legend_below, legend_inches
from marl_core.reports.run_log import read_log
from marl_core.reports.wording import seeds_text
from marl_core.runs.folder import RunFolder
from tests.support.places import REPOSITORY

MEGABYTE = 2**20


def _peak(call: Callable[[], object]) -> int:
    """The most memory that a call has at a time."""
    tracemalloc.start()
    try:
        call()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_a_band_takes_memory_for_some_points_at_a_time() -> None:
    """All at once would be 328 MB, and as much again for their quantiles."""
    curves = np.random.default_rng(0).random((2, 4096))
    assert _peak(lambda: bootstrap_band(curves)) < 120 * MEGABYTE


def test_an_interval_takes_memory_for_some_resamples_at_a_time() -> None:
    """All at once would be 160 MB for the draws alone."""
    scores = np.random.default_rng(0).random((2000, 1))
    peak = _peak(lambda: bootstrap_interval(scores, resamples=10_000))
    assert peak < 120 * MEGABYTE


@pytest.mark.parametrize("chunk", [1, 700, 10**9])
def test_parts_give_what_the_whole_gives(
    chunk: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    scores = np.random.default_rng(0).random((7, 3))
    curves = np.random.default_rng(1).random((5, 30))
    whole = bootstrap_interval(scores, interquartile_mean, resamples=500)
    band = bootstrap_band(curves, resamples=500)
    monkeypatch.setattr(bootstrap, "_CHUNK", chunk)
    assert bootstrap_interval(scores, interquartile_mean, resamples=500) == whole
    np.testing.assert_allclose(bootstrap_band(curves, resamples=500), band, rtol=1e-12)


def test_a_line_of_metrics_takes_little_memory(tmp_path: Path) -> None:
    """What is not reported is not kept; numbers are in columns."""
    lines = 300
    diagnostics = ",".join(f"diagnostics/{number}" for number in range(20))
    with (tmp_path / "metrics.csv").open("w") as file:
        file.write(f"update,episodes,coupling/x,exact/return,{diagnostics}\n")
        values = ",".join(["0.5"] * 20)
        for line in range(lines):
            file.write(f"{line},{line * 16},0.25,{line / 7},{values}\n")
    folder = RunFolder(tmp_path)
    assert set(read_log(folder)) == {"coupling/x", "exact/return"}
    # A dictionary of each line's numbers takes 1,800 bytes.
    assert _peak(lambda: read_log(folder)) < lines * 600


def test_many_seeds_are_counted() -> None:
    assert seeds_text([3]) == "seed 3"
    assert seeds_text(list(range(20))).endswith("18, 19")
    assert seeds_text(list(range(1000))) == "1,000 seeds from 0 to 999"


@pytest.mark.parametrize("lines", [2, 5, 20, 60])
def test_a_legend_leaves_room_for_the_panel(lines: int) -> None:
    figure, (axis,) = column_of_panels(1, 3.2 + legend_inches(lines))
    for number in range(lines):
        axis.plot([0, 1], [0, number], label=f"experiment {number}")
    legend_below(axis)
    legend = axis.get_legend()
    assert legend is not None
    names = [text.get_text() for text in legend.get_texts()]
    assert names[0] == "experiment 0"
    assert names[-1] == ("and 40 more" if lines == 60 else f"experiment {lines - 1}")
    assert len(names) <= 21
    figure.draw_without_rendering()
    inches = axis.get_position().height * figure.get_figheight()
    assert inches > 1.5


#: Options of the benchmark, and the most memory of the report's process in MB.
LOADS = {
    "6 runs of 16,385 points": ("--runs=6 --lines=16385", 800),
    "1,000 runs, two experiments": ("--runs=1000 --lines=64", 800),
    "1,000 runs, 200 experiments": ("--runs=1000 --lines=64 --experiments=200", 800),
    "10^7 episodes each": ("--runs=3 --lines=312500 --evaluated=32", 800),
}


@pytest.mark.slow
@pytest.mark.parametrize("load", LOADS)
def test_a_report_takes_bounded_memory(load: str) -> None:
    options, megabytes = LOADS[load]
    script = REPOSITORY / "benchmarks" / "report_load.py"
    done = subprocess.run(
        [sys.executable, script, *options.split()],
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(done.stdout)["peak_mb"] < megabytes
