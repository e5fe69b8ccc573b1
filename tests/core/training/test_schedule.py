"""Learning rates that fall over a run."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from marl_core.training.learner import Learner
from marl_core.training.optimizer import FlatAdam
from marl_core.training.saved_moments import load_moments
from marl_core.types import ParameterGroup, Schedule
from tests.support.resuming import interrupted
from tests.support.runs import HOSTS, differences, go_on, outcome, run_data, start

RATE = 1e-3
#: Updates of the two stages.
UPDATES = (3, 2)
MAPPO = {"host": {"name": "mappo", "hidden": 8}}


def data_of(host: str, schedule: Schedule) -> dict[str, Any]:
    data = run_data("pr_fast", UPDATES, host if host in HOSTS else "ppo_ma")
    own = MAPPO if host == "mappo" else {}
    data.update(copy.deepcopy(own))
    data["host"].update(
        epochs=1,
        learning_rate=RATE,
        learning_rate_schedule=schedule,
        critic_rate_factor=2.0,
    )
    return data


def rates_in(
    path: Path, data: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> list[list[float]]:
    """The rate of each group of parameters in each step of a run, by update."""
    found: list[list[float]] = []
    descend, step = Learner._descend, FlatAdam.step

    def watched(learner: Learner, *arguments: Any) -> Any:
        found.append([])
        return descend(learner, *arguments)

    def seen(optimizer: FlatAdam, closure: Any = None) -> Any:
        result = step(optimizer, closure)
        found[-1] += [group["lr"] for group in optimizer.param_groups]
        return result

    monkeypatch.setattr(Learner, "_descend", watched)
    monkeypatch.setattr(FlatAdam, "step", seen)
    go_on(start(path, data))
    return found


@pytest.mark.parametrize("host", ["ppo_ma", "mappo", "conc4hist"])
def test_rates_fall_linearly_over_all_stages(
    host: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the whole rate in the first update; after the last one it would be 0."""
    found = rates_in(tmp_path / "run", data_of(host, "linear"), monkeypatch)
    assert len(found) == sum(UPDATES)
    for update, rates in enumerate(found):
        left = 1 - update / sum(UPDATES)
        assert rates
        assert len(rates) % 2 == 0
        assert rates[0::2] == pytest.approx([RATE * left] * (len(rates) // 2))
        assert rates[1::2] == pytest.approx([2 * RATE * left] * (len(rates) // 2))


def test_constant_rates_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = rates_in(tmp_path / "run", data_of("ppo_ma", "constant"), monkeypatch)
    assert {rate for rates in found for rate in rates} == {RATE, 2 * RATE}


@pytest.mark.parametrize("host", ["ppo_ma", "mappo"])
def test_a_resumed_run_has_the_rates_of_an_unbroken_one(
    host: str, tmp_path: Path
) -> None:
    """To the last bit, whichever stage it was interrupted in."""
    data = data_of(host, "linear")
    data["training"]["checkpoint_every"] = 1
    whole = start(tmp_path / "whole", data)
    go_on(whole)
    crashes = [(Learner, "training_step", 3, True), (Learner, "training_step", 3, True)]
    parts = interrupted(tmp_path / "parts", data, *crashes)
    assert differences(outcome(parts), outcome(whole)) == []
    constant = start(tmp_path / "constant", data_of(host, "constant"))
    go_on(constant)
    assert differences(outcome(constant), outcome(whole)) != []


# The optimiser alone


def adam(rate: float, schedule: Schedule) -> FlatAdam:
    falling = nn.Parameter(torch.ones(3))
    staying = nn.Parameter(torch.ones(2))
    return FlatAdam(
        [
            ParameterGroup([falling], rate, schedule=schedule),
            ParameterGroup([staying], 0.5),
        ]
    )


def rates(optimizer: FlatAdam) -> list[float]:
    return [group["lr"] for group in optimizer.param_groups]


def test_only_the_groups_that_ask_for_it_fall() -> None:
    optimizer = adam(0.1, "linear")
    assert rates(optimizer) == [0.1, 0.5]
    for share in (0.0, 0.25, 0.75, 1.0, 0.5):
        optimizer.go_to(share)
        assert rates(optimizer) == pytest.approx([0.1 * (1 - share), 0.5])


def test_a_fallen_rate_is_no_other_setting() -> None:
    saved = adam(0.1, "linear")
    saved.go_to(0.7)
    state = copy.deepcopy(saved.state_dict())
    following = adam(0.1, "linear")
    load_moments([following], [state])
    following.go_to(0.7)
    assert rates(following) == rates(saved)


@pytest.mark.parametrize(("rate", "schedule"), [(0.2, "linear"), (0.1, "constant")])
def test_another_first_rate_is_refused(rate: float, schedule: Schedule) -> None:
    saved = adam(0.1, "linear")
    saved.go_to(0.7)
    with pytest.raises(ValueError, match="of group 0 is"):
        load_moments([adam(rate, schedule)], [copy.deepcopy(saved.state_dict())])
