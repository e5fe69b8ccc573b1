"""``marl reproduce`` from end to end, on runs of a few updates.

It is left alone, killed, and given a run that fails.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from marl_core.reports.tidy_file import read_tidy
from marl_core.runs.folder import RunFolder
from marl_pr.paper.battles import runs_of
from marl_pr.paper.catalogue import ALL
from marl_pr.paper.fig4 import COMPARED, Fig4
from marl_pr.paper.fig9 import Fig9
from marl_pr.paper.registry import ITEMS, items_named
from marl_pr.paper.reproduction import Reproduction
from marl_pr.paper.scale import SCALES, Seeds
from tests.support.command import Command, refused
from tests.support.places import REPOSITORY
from tests.support.tiny_reproduction import TINY

FILES = ("figure.png", "figure.svg", "results.csv", "results.json", "table.md")
FIG9 = ("reproduce", "fig9", "--scale", "quick", "--workers", "1")
SEEDS = 2


@pytest.fixture
def marl(marl: Command, monkeypatch: pytest.MonkeyPatch) -> Command:
    monkeypatch.setitem(SCALES, "quick", TINY)
    return marl


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of Fig. 9, made without an interruption."""
    folder = tmp_path_factory.mktemp("whole")
    made = Reproduction(
        TINY, None, folder / "runs", folder / "out", show_progress=False
    )
    assert made.make(Fig9()) == {}
    return folder / "out" / "fig9"


def content(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in sorted(folder.iterdir())}


def test_an_items_folder(whole: Path) -> None:
    assert tuple(content(whole)) == FILES
    results = read_tidy(whole / "results.csv")
    assert len(results) == 3 * SEEDS
    page = (whole / "table.md").read_text()
    assert page.startswith("# Fig. 9")
    assert "    marl reproduce fig9 --scale quick\n" in page
    assert (
        "Episodes: 1,024, and 1,024 + 512. Seeds: 0 to 1 (ppo_ma). Runs: 6 of 6."
        in page
    )
    for coin in ("episode", "step"):
        finals = [
            run.final("exact/return")
            for run in results
            if run.labels.get("coin") == coin
        ]
        interval = f"[{min(finals):.2f}, {max(finals):.2f}]"
        assert f"| {coin} level | {SEEDS} | {np.mean(finals):.2f} {interval}" in page
    tree = json.loads((whole / "results.json").read_text())
    assert {len(runs) for runs in tree["fme"]["1A4B2C"].values()} == {SEEDS}
    assert "<dc:date>" not in (whole / "figure.svg").read_text()


def test_battles_are_trained_in_both_stages(tmp_path: Path) -> None:
    """Fig. 4 from nothing: seven algorithms, with a win rate at each evaluation.

    There is an eta where there is resonance, and with one seed no interval.
    """
    made = Reproduction(
        TINY, 1, tmp_path / "runs", tmp_path / "out", show_progress=False
    )
    assert made.make(Fig4()) == {}
    results = read_tidy(tmp_path / "out" / "fig4" / "results.csv")
    assert all(runs_of(results, algorithm) for algorithm in COMPARED)
    assert len(results) == len(COMPARED)
    for run in results:
        assert run.environment == "adca"
        assert run.labels["task"] == "5v6"
        assert all(
            0 <= rate <= 1
            for rate in (
                *run.metrics["greedy/win_rate"],
                *run.metrics["sampled/win_rate"],
            )
        )
        resonance = run.metrics.get("coupling/in resonance", (0.0,))[-1]
        assert (run.labels.get("eta_max", 0) != 0) == (resonance > 0)
    page = (tmp_path / "out" / "fig4" / "table.md").read_text()
    assert "Guards and attackers: 5v6." in page
    assert "Seeds: 0 (conc4hist)." in page
    assert "**Single runs**" in page
    assert "| 5v6, does nothing | 4 |" in page
    assert "| 5v6, acts at random | 4 |" in page


def test_killed_then_failing_then_whole(marl: Command, whole: Path) -> None:
    """The command is killed at some moment; it goes on, and then a run fails.

    The failure is reported, and the rest is made. Once the run is mended, all is as if nothing had
    happened.
    """
    kill_after(2, marl.folder)
    runs, made = (
        marl.folder / "runs" / "reproduce" / "quick",
        marl.folder / "reproduced" / "fig9",
    )
    done = {path: path.stat().st_mtime_ns for path in runs.glob("*/summary.json")}
    assert 2 <= len(done) < 3 * SEEDS
    assert not list(made.glob("*"))

    broken = Fig9().jobs(TINY, Seeds(SEEDS, SEEDS, SEEDS))[-1].job
    folder = RunFolder(runs / broken.name)
    shutil.rmtree(folder.path, ignore_errors=True)
    folder.create(broken.config)
    folder.checkpoint.write_bytes(b"no checkpoint")
    outcome = marl(*FIG9)
    assert outcome.status == 1
    (failure,) = [
        line for line in outcome.err.splitlines() if line.startswith(f"{broken.name}: ")
    ]
    assert outcome.err.splitlines()[-1] == "1 failed: why is said above and in table.md"
    assert "this is no checkpoint of a run" in failure
    page = (made / "table.md").read_text()
    assert "Runs: 5 of 6." in page
    assert "**Single runs**" not in page
    assert f"\n- {failure}\n" in page
    assert "| step level | 1 |" in page
    assert len(read_tidy(made / "results.csv")) == 5

    shutil.rmtree(folder.path)
    again = marl(*FIG9)
    assert (again.status, again.out) == (0, "reproduced/fig9/table.md\n")
    assert content(made) == content(whole)
    assert {path: path.stat().st_mtime_ns for path in done} == done


def test_a_run_that_cannot_be_read_is_told_too(marl: Command, whole: Path) -> None:
    runs = marl.folder / "runs" / "reproduce"
    shutil.copytree(whole.parent.parent / "runs", runs)
    lost = next(runs.glob("quick/*-seed1"))
    (lost / "metrics.csv").unlink()
    outcome = marl(*FIG9)
    assert outcome.status == 1
    told, last = outcome.err.splitlines()
    assert told.startswith(f"{lost.name}: ")
    assert "there is no metrics.csv" in told
    assert last == "1 failed: why is said above and in table.md"
    assert (
        f"\n- {told}\n"
        in (marl.folder / "reproduced" / "fig9" / "table.md").read_text()
    )


def kill_after(runs: int, folder: Path) -> None:
    """Start the command in a folder, and kill all its processes once some runs are done."""
    root = str(REPOSITORY)
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.support.tiny_reproduction", *FIG9],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": root},
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    until = time.monotonic() + 60
    while len(list(folder.rglob("summary.json"))) < runs:
        assert process.poll() is None
        assert time.monotonic() < until
        time.sleep(0.002)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def test_an_unknown_item_is_one_line(marl: Command) -> None:
    outcome = marl("reproduce", "tabel1")
    assert (outcome.status, outcome.out) == (2, "")
    assert outcome.err == "there is no 'tabel1' to reproduce, did you mean 'table1'?\n"
    outcome = marl("reproduce", "zzz")
    assert outcome.status == 2
    assert all(name in outcome.err for name in [*ITEMS, ALL])
    assert len(outcome.err.splitlines()) == 1


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("fig2", "Fig. 2 is a sketch of the method, not a result"),
        ("fig7", "Fig. 7 has two parts, fig7a and fig7b"),
        ("fig10", ""),
    ],
)
def test_an_unknown_figure_is_told_which_figures_there_are(
    marl: Command, name: str, why: str
) -> None:
    told = refused(marl, "reproduce", name)
    figures = "fig1, fig3, fig4, fig5, fig6, fig7a, fig7b, fig8, fig9"
    assert why in told
    assert told.endswith(f" (figures: {figures})")
    assert "did you mean" not in told


def test_an_unknown_table_is_told_which_tables_there_are(marl: Command) -> None:
    assert refused(marl, "reproduce", "table3") == (
        "there is no 'table3' to reproduce: Table 3 lists hyperparameters, not a result "
        "(tables: table1)"
    )


def test_help_lists_the_items(marl: Command) -> None:
    outcome = marl("reproduce", "--help")
    assert outcome.status == 0
    words = outcome.out.split()
    assert all(name in words for name in [*ITEMS, ALL])
    assert "Args:" not in outcome.out


def test_a_folder_of_results_that_cannot_be_is_one_line(marl: Command) -> None:
    marl.write("a file", "taken")
    outcome = marl("reproduce", "table1", "--scale", "quick", "--out", "taken")
    assert outcome.status == 2
    assert len(outcome.err.splitlines()) == 1
    assert "taken" in outcome.err
    assert not (marl.folder / "runs").exists()


def test_all_is_every_item(marl: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    assert items_named(ALL) == list(ITEMS.values())
    made: list[str] = []

    def make(self: Reproduction, item: object) -> dict[str, str]:
        made.append(f"{getattr(item, 'name', None)} {self.seeds}")
        return {"a": "it failed"} if len(made) == 1 else {}

    monkeypatch.setattr(Reproduction, "make", make)
    outcome = marl("reproduce", "all", "--seeds", "3")
    assert made == [f"{name} 3" for name in ITEMS]
    assert (outcome.status, outcome.err) == (
        1,
        "1 failed: why is said above and in table.md\n",
    )
