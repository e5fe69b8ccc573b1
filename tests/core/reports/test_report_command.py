"""``marl report`` as a command."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from marl_core.reports.tidy_file import read_tidy
from marl_core.runs.folder import RunFolder
from tests.support.command import Command
from tests.support.reported_runs import agents
from tests.support.runs import go_on, run_data, start


@pytest.mark.filterwarnings("error")
def test_metrics_that_are_no_numbers_do_no_harm(
    made: Callable[..., Path], marl: Command
) -> None:
    paths = [
        made("a", 0),
        made("b", 1),
        made("c", 0, agents(8)),
        made("d", 1, agents(8)),
    ]
    for path, bad in zip(paths, ("-inf", "inf", "nan", "1e308"), strict=True):
        metrics = RunFolder(path).metrics
        metrics.write_text(metrics.read_text().replace("1.5", bad))
    reported = marl(
        "report", *map(str, paths), "--tidy", "all.csv", "--marl-eval", "all.json"
    )
    assert reported.status == 0, reported.err
    assert "nan" in reported.out
    assert marl("report", str(paths[0]), str(paths[1])).status == 0


def test_the_command(marl: Command) -> None:
    for seed in (0, 1):
        folder = start(
            marl.folder / "runs" / f"trained-seed{seed}",
            {**run_data("ppo_ma", (1, 1)), "seed": seed},
        )
        go_on(folder)
    data = {**run_data("pr", (1, 1)), "seed": 0}
    begun = start(marl.folder / "runs" / "begun", data)
    begun.metrics.write_text(
        "update,episodes,stage,coupling/x,exact/return,greedy/return,sampled/return\n"
        "0,0,0,0.5,0.5,0.5,0.5\n"
    )
    runs = ("runs/trained-seed0", "runs/trained-seed1", "runs/begun")
    files = ("curve.svg", "all.csv", "all.json")
    before = marl.files()
    outcome = marl(
        "report",
        *runs,
        "--out",
        "curve.svg",
        "--tidy",
        "all.csv",
        "--marl-eval",
        "all.json",
    )
    assert (outcome.status, outcome.err) == (0, "")
    assert outcome.out.splitlines()[-3:] == list(files)
    out = " ".join(outcome.out.split())
    for said in (
        "seeds 0, 1, after 32 episodes",
        "seed 0, after 0 of 32 episodes",
        "probability of improvement",
    ):
        assert said in out
    assert set(marl.files()) - set(before) == set(files)
    results = read_tidy(marl.folder / "all.csv")
    assert sorted((result.labels["algorithm"], result.seed) for result in results) == [
        ("ppo_ma+entropy_sampling+entropy_sampling", 0),
        ("ppo_ma+entropy_sampling+entropy_sampling", 1),
        ("ppo_ma+entropy_sampling+policy_resonance", 0),
    ]
    assert list(json.loads((marl.folder / "all.json").read_text())["fme"]) == ["1A1B1C"]
    first = marl.files()
    again = marl(
        "report",
        *runs,
        "--out",
        "curve.svg",
        "--tidy",
        "all.csv",
        "--marl-eval",
        "all.json",
    )
    assert again == outcome
    assert marl.files() == first
    assert marl(
        "report", "runs/trained-seed0", "--metric", "sampled/return"
    ).out.endswith("learning_curve.png\n")
    assert "coupling/" in (marl.folder / "all.csv").read_text()
    assert "coupling/" not in (marl.folder / "all.json").read_text()
