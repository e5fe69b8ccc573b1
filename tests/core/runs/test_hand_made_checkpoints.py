"""Checkpoints that somebody has made by hand are refused in one line, before anything is used."""

from __future__ import annotations

import math
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from marl_core.errors import UserError
from marl_core.runs.folder import RunFolder
from tests.support.checkpoints import rewrite
from tests.support.runs import go_on, run_data, start

Saved = dict[str, Any]


@pytest.fixture(scope="module", params=["ppo_ma", "qmix"])
def unfinished(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> RunFolder:
    """A run whose newest checkpoint is of the middle of its second stage."""
    path: Path = tmp_path_factory.mktemp(str(request.param)) / "run"
    folder = start(path, run_data(updates=(3, 4), host=request.param))
    go_on(folder)
    folder.checkpoints.previous.replace(folder.checkpoint)
    folder.summary.unlink()
    return folder


def progress(**counts: Any) -> Callable[[Saved], None]:
    return lambda saved: saved["marl"]["progress"].update(counts)


def moments(name: str, value: Any) -> Callable[[Saved], None]:
    def change(saved: Saved) -> None:
        saved["optimizer_states"][0]["state"][0][name] = value

    return change


def setting(name: str, value: Any) -> Callable[[Saved], None]:
    def change(saved: Saved) -> None:
        saved["optimizer_states"][0]["param_groups"][0][name] = value

    return change


def parameter(change: Callable[[torch.Tensor], Any]) -> Callable[[Saved], None]:
    def change_first(saved: Saved) -> None:
        name = next(iter(saved["state_dict"]))
        saved["state_dict"][name] = change(saved["state_dict"][name])

    return change_first


def own(change: Callable[[Saved], Any]) -> Callable[[Saved], None]:
    return lambda saved: change(saved["marl"]["ranks"][0])


def no_moments(saved: Saved) -> None:
    saved["optimizer_states"][0]["param_groups"].append({"params": [9]})


CHANGES: dict[str, tuple[Callable[[Saved], Any], str]] = {
    "too many episodes": (progress(stage_episodes=10**6), "no stage of"),
    "no number": (progress(stage_episodes=math.nan), "no c"),
    "infinity": (progress(updates=math.inf), "no c"),
    "less than none": (progress(episodes=-16), "no count"),
    "a truth": (progress(stage=True), "no count"),
    "half an update": (progress(stage_episodes=7), "no stage of"),
    "a stage that is not there": (progress(stage=99), "stage"),
    "other updates": (progress(updates=1000), "updates is 1000"),
    "other steps": (progress(environment_steps=1), "cannot have 1"),
    "a moment of another shape": (moments("exp_avg", torch.zeros(3)), "exp_avg"),
    "a moment of another type": (
        moments("exp_avg_sq", torch.zeros(3, dtype=torch.int8)),
        "exp_avg_sq",
    ),
    "no moment": (moments("exp_avg", None), "no tensor"),
    "steps of another shape": (moments("step", torch.zeros(4)), "step"),
    "no steps": (moments("step", torch.tensor(math.nan)), "step"),
    "a sparse moment": (moments("exp_avg", torch.zeros(3).to_sparse()), "no tensor"),
    "another learning rate": (setting("lr", 123.0), "lr of group 0 is 123"),
    "another epsilon": (setting("eps", 0.0), "eps"),
    "more groups": (no_moments, "groups"),
    "no optimiser": (lambda saved: saved["optimizer_states"].append({}), "optimisers"),
    "a parameter of another shape": (parameter(lambda x: x[:-1]), "should be"),
    "a parameter of another type": (parameter(torch.Tensor.double), "float64"),
    "a parameter that is none": (parameter(lambda x: 3), "no tensor"),
    "a parameter too many": (
        lambda saved: saved["state_dict"].update(more=torch.zeros(1)),
        "'more' is unknown",
    ),
    "no generator": (
        own(lambda rank: rank["generators"].pop("exploration")),
        "'exploration' is missing",
    ),
    "an unknown generator": (
        own(lambda rank: rank["generators"].update(x=torch.zeros(1))),
        "'x' is unknown",
    ),
    "a generator of another length": (
        own(lambda rank: rank["generators"].update(environment=torch.zeros(3).byte())),
        "does not fit device",
    ),
    "a state of other games": (
        own(lambda rank: rank["environment"].update(level=torch.zeros(3).long())),
        "state of the games",
    ),
    "an unknown part": (own(lambda rank: rank.update(more=1)), "part 'more'"),
    "no rank": (lambda saved: saved["marl"]["ranks"].clear(), "0 processes"),
    "ranks that are none": (
        lambda saved: saved["marl"]["ranks"].__setitem__(0, {}),
        "does not fit",
    ),
}
OF_A_REPLAY: dict[str, tuple[Callable[[Saved], Any], str]] = {
    "an action that is not there": (
        own(lambda rank: rank["replay"]["stored"]["actions"].fill_(99)),
        "'actions'",
    ),
    "a place that is not there": (
        own(lambda rank: rank["replay"].update(next=10**9)),
        "next place",
    ),
    "episodes of another length": (
        own(lambda rank: rank["replay"]["stored"].update(valid=torch.ones(3, 9))),
        "replay",
    ),
    "a component that is not there": (
        own(lambda rank: rank["replay"]["stored"]["component"].fill_(7)),
        "'component'",
    ),
    "a tensor that is missing": (
        own(lambda rank: rank["replay"]["stored"].pop("team_reward")),
        "team_reward",
    ),
    "no replay": (own(lambda rank: rank.pop("replay")), "replay"),
}


def refused(unfinished: RunFolder, path: Path, change: Callable[[Saved], Any]) -> str:
    shutil.copytree(unfinished.path, path)
    folder = RunFolder(path)
    rewrite(folder.checkpoint, change)
    before = folder.checkpoint.read_bytes()
    with pytest.raises(UserError) as error:
        go_on(folder)
    assert "\n" not in str(error.value)
    assert folder.checkpoint.read_bytes() == before
    return str(error.value)


def test_what_was_not_changed_goes_on(unfinished: RunFolder, tmp_path: Path) -> None:
    shutil.copytree(unfinished.path, tmp_path / "run")
    folder = RunFolder(tmp_path / "run")
    rewrite(folder.checkpoint, lambda saved: None)
    go_on(folder)
    assert folder.summary.exists()


def test_checkpoints_of_other_things(unfinished: RunFolder, tmp_path: Path) -> None:
    changes = dict(CHANGES)
    if "qmix" in str(unfinished.path):
        changes = dict(OF_A_REPLAY)
    failures = []
    for number, (name, (change, expected)) in enumerate(changes.items()):
        message = refused(unfinished, tmp_path / str(number), change)
        if expected not in message:
            failures.append(f"{name}: {message}")
    assert failures == []
