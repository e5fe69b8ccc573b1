"""Several batches out of a replay in each update, and whether there is room for a replay."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
import torch

from marl_core.collection import free_memory
from marl_core.collection.free_memory import free_bytes, tell_if_too_large
from marl_core.notes import RunWarning
from marl_core.training.games import RankGames
from marl_core.training.learner import Learner
from marl_core.training.optimizer import FlatAdam
from marl_core.types import Rollout
from tests.support.resuming import interrupted
from tests.support.runs import differences, go_on, outcome, run_data, start

BATCHES = 3
CPU = torch.device("cpu")


def data_of(batches: int = BATCHES) -> dict[str, Any]:
    """QMIX learns from its second update on: the first one brings 16 episodes, and it needs 24."""
    data = run_data("pr_fast", (3, 2), "qmix")
    data["host"]["batches_per_update"] = batches
    return data


def test_each_step_of_an_update_has_episodes_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[list[Rollout]] = []
    steps: list[int] = []
    recall, step = RankGames.recall, FlatAdam.step

    def watched(games: RankGames, rollout: Rollout) -> Iterator[Rollout]:
        drawn.append([])
        steps.append(0)
        for recalled in recall(games, rollout):
            drawn[-1].append(recalled)
            yield recalled

    def counted(optimizer: FlatAdam, closure: Any = None) -> Any:
        steps[-1] += 1
        return step(optimizer, closure)

    monkeypatch.setattr(RankGames, "recall", watched)
    monkeypatch.setattr(FlatAdam, "step", counted)
    go_on(start(tmp_path / "run", data_of()))
    # The first update of each stage, whose replay is empty at first, has too few episodes.
    assert [len(batches) for batches in drawn] == [0, BATCHES, BATCHES, 0, BATCHES]
    assert steps == [len(batches) for batches in drawn]
    for batches in drawn:
        for one, other in combinations(batches, 2):
            assert one.actions.shape == other.actions.shape
            assert not torch.equal(one.actions, other.actions)


def test_a_resumed_run_draws_what_an_unbroken_one_draws(tmp_path: Path) -> None:
    data = data_of()
    data["training"]["checkpoint_every"] = 1
    whole = start(tmp_path / "whole", data)
    go_on(whole)
    crashes = [(Learner, "training_step", 3, True), (Learner, "training_step", 3, True)]
    parts = interrupted(tmp_path / "parts", data, *crashes)
    assert differences(outcome(parts), outcome(whole)) == []
    single = start(tmp_path / "single", data_of(1))
    go_on(single)
    assert differences(outcome(single), outcome(whole)) != []


# Whether there is room


def notes_of(path: Path, data: dict[str, Any]) -> list[str]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", RunWarning)
        go_on(start(path, data))
    notes = [one for one in caught if issubclass(one.category, RunWarning)]
    return [str(one.message) for one in notes if "replay" in str(one.message)]


def test_a_replay_that_does_not_fit_is_told_of_before_it_grows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(free_memory, "free_bytes", lambda device: 1000)
    (first, _) = notes_of(tmp_path / "small", data_of())  # one for each stage
    assert "the replay grows to 0.0 GB, and 0.0 GB are free on cpu" in first
    monkeypatch.setattr(free_memory, "free_bytes", lambda device: 10**12)
    assert notes_of(tmp_path / "large", data_of()) == []


@pytest.mark.parametrize(
    ("needed", "free", "told"),
    [(10, 10, False), (11, 10, True), (10, None, False)],
)
def test_it_is_told_of_where_it_is_larger_than_what_is_free(
    needed: int, free: int | None, told: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(free_memory, "free_bytes", lambda device: free)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        tell_if_too_large(needed, CPU)
    assert bool(caught) == told


@pytest.mark.skipif(not Path("/proc/meminfo").exists(), reason="Linux says so")
def test_what_is_free_is_what_the_system_says() -> None:
    psutil = pytest.importorskip("psutil")
    found = free_bytes(CPU)
    assert found is not None
    assert found == pytest.approx(psutil.virtual_memory().available, rel=0.2)


def test_nobody_knows_what_is_free_elsewhere() -> None:
    assert free_bytes(torch.device("meta")) is None
