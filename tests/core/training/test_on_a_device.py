"""On a GPU: whole updates go as on a CPU, and the host waits for no more than is said here."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from marl_core.collection import collector, late_end
from marl_core.hosts.conc4hist import tiles
from marl_core.hosts.conc4hist.config import Conc4HistConfig
from marl_core.training.determinism import deterministic
from tests.support.pretend_device import DEVICE, OnDevice, pretend_device
from tests.support.runs import run_data
from tests.support.updates import Update, last_update

_ADCA = {"name": "adca", "agents": 7, "attackers": 8, "max_steps": 3}


def _conc4hist(environment: dict[str, Any], **training: Any) -> dict[str, Any]:
    data = run_data(host="conc4hist", **training)
    data["host"]["microbatch"] = None
    return {**data, "environment": environment}


def _on_both(
    data: dict[str, Any], *, stage: int = 0, updates: int = 2
) -> tuple[Update, Update]:
    here = last_update(data, stage=stage, updates=updates)
    with pretend_device() as waits:
        there = last_update(data, DEVICE, waits, stage=stage, updates=updates)
    return here, there


def _assert_same(here: dict[str, Tensor], there: dict[str, Tensor]) -> None:
    """To the last bit, and every part of it on the device."""
    assert list(here) == list(there)
    for name, value in there.items():
        assert isinstance(value, OnDevice), name
        assert torch.equal(here[name], value.held), name


@pytest.fixture(autouse=True)
def _one_order(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a CPU does otherwise to be fast, and what rounds otherwise or draws less numbers."""
    monkeypatch.setattr(collector, "_FEW", 0.0)
    monkeypatch.setattr(tiles, "TILE", 1_000_000)


#: What the host waits for in an update, by the name of a run: while it plays all steps, none of
#: which is waited for, and while it learns, in three passes. These numbers may not grow.
#:
#: ``late``: whether an update ends early is read when the pass after is under way already.
#: ``item`` in playing: how many steps the longest game has taken, once a rollout. Rollouts are as
#: long as that, so that nothing is learnt from steps that nobody has played.
#: ``item`` and ``size`` in learning, for the whole update: how many samples are of living agents,
#: how long the longest history is, and which entities were ever seen. All these are lengths of
#: tensors, without which twice to ten times as much would be computed in every pass.
_WAITS: dict[str, tuple[dict[str, Any], int, dict[str, int], dict[str, int]]] = {
    "ppo_ma, table": (run_data(), 0, {}, {"late": 2}),
    "ppo_ma, pr": (run_data("pr"), 1, {}, {"late": 2}),
    "ppo_ma, pr_fast, step": (run_data("pr_fast_step"), 1, {}, {"late": 2}),
    "ppo_ma, samples": (run_data(use_table=False), 0, {}, {"late": 2}),
    "qmix": (run_data(host="qmix"), 0, {}, {}),
    "qmix, pr": (run_data("pr", host="qmix"), 1, {}, {}),
    "conc4hist": (
        _conc4hist(_ADCA),
        0,
        {"item": 1},
        {"item": 1, "late": 2, "size": 2},
    ),
    "conc4hist, pr_fast": (
        _conc4hist(_ADCA),
        1,
        {"item": 1},
        {"item": 2, "late": 2, "size": 1},
    ),
}


@pytest.mark.parametrize("name", _WAITS)
def test_an_update_is_that_of_a_cpu(name: str) -> None:
    data, stage, collecting, learning = _WAITS[name]
    here, there = _on_both(data, stage=stage)
    assert (there.steps, there.passes) == (here.steps, here.passes)
    _assert_same(here.played, there.played)
    _assert_same(here.learnt, there.learnt)
    assert there.collecting == collecting
    assert there.learning == learning


def test_an_update_ends_early_after_the_same_pass() -> None:
    data = run_data()
    data["host"] = {"name": "ppo_ma", "epochs": 60, "min_inside_clip": 0.99}
    data["host"]["learning_rate"] = 0.05
    here, there = _on_both(data)
    assert 1 < here.passes < 60, "it did not end early, so nothing is shown"
    assert there.passes == here.passes
    assert there.learning == {"late": here.passes}
    _assert_same(here.learnt, there.learnt)


def test_steps_played_beyond_the_end_are_left_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A question is put every so often, and its answer is read when the next one is put."""
    monkeypatch.setattr(late_end, "_EVERY", 2)
    practice = {"name": "marl_core.testing.practice:Practice", "max_steps": 40}
    data = _conc4hist(practice)
    here, there = _on_both(data, updates=1)
    assert here.steps < 36, "a game lasted to the end, so nothing is shown"
    assert there.steps == here.steps
    assert there.collecting == {"item": 1, "late": -(-here.steps // 2)}
    _assert_same(here.played, there.played)


def test_games_that_begin_anew_are_asked_for_until_all_have_begun() -> None:
    """Which games end decides which begin, so a step waits: for how many, and for which."""
    data = _conc4hist({**_ADCA, "max_steps": 2}, parallel_games=8)
    here, there = _on_both(data)
    assert there.steps == here.steps == 2
    assert there.collecting == {"item": 5, "size": 5}
    _assert_same(here.played, there.played)


def test_a_gpu_learns_from_more_samples_at_a_time() -> None:
    assert Conc4HistConfig().most_at_once(on_cpu=True) == 16_384
    assert Conc4HistConfig().most_at_once(on_cpu=False) == 262_144
    assert Conc4HistConfig(microbatch=77).most_at_once(on_cpu=False) == 77


def test_sums_have_a_fixed_order_on_a_gpu_alone() -> None:
    is_fixed = torch.are_deterministic_algorithms_enabled
    with deterministic(torch.device("cpu")):
        assert not is_fixed()
    with deterministic(torch.device("cuda")):
        assert is_fixed()
        assert torch.is_deterministic_algorithms_warn_only_enabled()
    assert not is_fixed()
    assert not torch.is_deterministic_algorithms_warn_only_enabled()
