"""Checkpoints that are kept by a rule: the best one, and some at regular distances."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pytest
import torch

from marl_core.api.run import load
from marl_core.api.training import train
from marl_core.config.run import RunConfig
from marl_core.errors import UserError
from marl_core.runs.assembly import first_state, newest_state
from marl_core.runs.checkpoint_file import read_checkpoint
from marl_core.runs.folder import RunFolder
from marl_core.training.learner import Learner
from marl_core.training.stages import check
from tests.support.command import Command
from tests.support.resuming import interrupted
from tests.support.runs import differences, go_on, run_data, start

METRIC = "sampled/return"
RULE = {"every": 4, "best": METRIC}


def _data(**keep: Any) -> dict[str, Any]:
    return run_data("pr", evaluate_every=2, keep={**RULE, **keep})


def _names(folder: RunFolder) -> list[str]:
    return sorted(file.name for file in folder.checkpoint.parent.glob("*.ckpt"))


def _evaluated(folder: RunFolder) -> dict[int, float]:
    with folder.metrics.open() as file:
        rows = [row for row in csv.DictReader(file) if row[METRIC]]
    return {int(row["update"]): float(row[METRIC]) for row in rows}


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    folder = start(tmp_path_factory.mktemp("kept") / "run", _data())
    go_on(folder)
    return folder


def test_some_are_kept_at_regular_distances(finished: RunFolder) -> None:
    kept = ["update-00000004.ckpt", "update-00000008.ckpt", "update-00000012.ckpt"]
    assert _names(finished) == ["best.ckpt", "last.ckpt", "previous.ckpt", *kept]
    for update in (4, 8, 12):
        saved = read_checkpoint(finished.kept(f"update-{update:08d}"))
        assert saved["marl"]["progress"]["updates"] == update


@pytest.mark.parametrize("mode", ["max", "min"])
def test_the_best_is_that_of_the_best_evaluation(mode: str, tmp_path: Path) -> None:
    folder = start(tmp_path / "run", _data(mode=mode))
    go_on(folder)
    found = _evaluated(folder)
    del found[0]
    choose = max if mode == "max" else min
    best = choose(found, key=lambda update: found[update])
    assert best > 0
    saved = read_checkpoint(folder.kept("best"))
    assert saved["marl"]["progress"]["updates"] == best


@pytest.mark.parametrize("call", [3, 5, 8, 11])
def test_an_interrupted_run_keeps_the_same(
    call: int, tmp_path: Path, finished: RunFolder
) -> None:
    point = (Learner, "training_step", call, True)
    broken = interrupted(tmp_path / "run", _data(), point)
    assert _names(broken) == _names(finished)
    for name in _names(finished):
        one, other = (
            read_checkpoint(folder.checkpoint.parent / name)
            for folder in (broken, finished)
        )
        # Lightning counts its epochs, which an interruption divides otherwise.
        parts = ("state_dict", "optimizer_states")
        assert [differences(one[part], other[part]) for part in parts] == [[], []]
        assert one["marl"]["progress"] == other["marl"]["progress"]


def test_the_best_can_be_looked_at(finished: RunFolder, marl: Command) -> None:
    best = load(finished.path, checkpoint="best")
    saved = read_checkpoint(finished.kept("best"))
    assert best.trained_episodes == saved["marl"]["progress"]["episodes"]
    assert best.trained_episodes != load(finished.path).trained_episodes
    evaluate = ("evaluate", str(finished.path), "--episodes", "4")
    told = marl(*evaluate, "--checkpoint", "best")
    assert told.status == 0
    assert f"its checkpoint is of {best.trained_episodes} of" in told.err


def test_the_team_that_a_run_began_with_can_be_looked_at(
    tmp_path: Path, finished: RunFolder
) -> None:
    begun = load(finished.path, checkpoint="start")
    assert begun.trained_episodes == 0
    # As it was evaluated before the first update.
    untrained = newest_state(RunFolder(finished.path, checkpoint="start"))
    fresh = first_state(finished.load_config()).host.state_dict()
    assert differences(dict(untrained.host.state_dict()), dict(fresh)) == []
    given = torch.load(finished.kept("best"), weights_only=True)["state_dict"]
    names = {name.removeprefix("host."): value for name, value in given.items()}
    weights = {name: names[name] for name in fresh}
    torch.save(weights, tmp_path / "weights.pt")
    data = {**run_data(), "stages": [{"episodes": 16}]}
    other = train(data, out=tmp_path / "other", weights=tmp_path / "weights.pt")
    state = newest_state(RunFolder(other.path, checkpoint="start"))
    assert differences(dict(state.host.state_dict()), weights) == []


def test_a_name_that_is_not_kept_is_refused(finished: RunFolder) -> None:
    message = (
        "no such checkpoint; there are: start, best, last, previous, update-00000004"
    )
    with pytest.raises(UserError, match=message):
        load(finished.path, checkpoint="first").policy()


@pytest.mark.parametrize("metric", ["greedy/wins", "greedy/win_rate", "return"])
def test_a_metric_that_is_not_measured_is_refused(metric: str) -> None:
    config = RunConfig.model_validate(_data(best=metric))
    with pytest.raises(UserError, match=f"do not measure '{metric}'.*greedy") as told:
        check(config)
    assert told.value.location == ("training", "keep", "best")


def test_exact_values_that_nobody_knows_are_refused(tmp_path: Path) -> None:
    data = _data(best="exact/return")
    data["environment"] = {"name": "marl_core.testing.practice:Practice"}
    folder = start(tmp_path / "run", data)
    with pytest.raises(UserError, match=r"'exact/return'; they measure greedy/return"):
        go_on(folder)
