"""Runs that learn from pieces of episodes."""

from __future__ import annotations

import csv
import warnings
from pathlib import Path
from typing import Any

import pytest
import torch

from marl_core.config.run import RunConfig
from marl_core.errors import UserError
from marl_core.learning import SingleRank
from marl_core.notes import RunWarning
from marl_core.returns import generalised_advantages
from marl_core.training.learner import Learner
from marl_core.training.rollout_metrics import means_over_ranks, seen_in_training
from marl_core.training.stages import check
from marl_core.types import Observation, Pieces, Progress, Rollout
from marl_pr.coupling import PolicyResonance
from tests.support.resuming import interrupted
from tests.support.runs import differences, go_on, outcome, run_data, start

PRACTICE = {"name": "marl_core.testing.practice:Practice", "max_steps": 9}


def _data(host: str = "ppo_ma", second: str = "pr", **training: Any) -> dict[str, Any]:
    data = run_data(second, **{"rollout_steps": 4, "evaluate_every": 4, **training})
    data["environment"] = dict(PRACTICE)
    if host == "mappo":
        data["host"] = {"name": "mappo", "hidden": 8, "epochs": 2, "minibatches": 3}
    return data


POINTS = {
    "just after a checkpoint": (Learner, "training_step", 4, False),
    "between checkpoints": (Learner, "training_step", 5, True),
    "in the second stage": (Learner, "training_step", 12, True),
}


@pytest.mark.parametrize(
    ("host", "point"),
    [("ppo_ma", point) for point in POINTS] + [("mappo", "in the second stage")],
)
def test_a_run_that_was_interrupted_is_the_same(
    host: str, point: str, tmp_path: Path
) -> None:
    """Games that are cut go on with their states, memories and coins."""
    whole = start(tmp_path / "whole", _data(host))
    go_on(whole)
    broken = interrupted(tmp_path / "broken", _data(host), POINTS[point])
    assert differences(outcome(broken), outcome(whole)) == []


def test_steps_are_counted_and_returns_are_those_of_whole_episodes(
    tmp_path: Path,
) -> None:
    folder = start(tmp_path / "run", _data(log_every=1))
    go_on(folder)
    checkpoint = torch.load(folder.checkpoint, weights_only=True)
    assert checkpoint["marl"]["progress"]["environment_steps"] == 13 * 16 * 4
    with folder.metrics.open() as file:
        rows = list(csv.DictReader(file))
    returns = [float(row["training_return"]) for row in rows if row["training_return"]]
    greatest = 9 * 2 + 1
    assert returns
    assert all(0 <= value <= greatest for value in returns)


def _rollout(rewards: list[float], pieces: Pieces | None) -> Rollout:
    reward = torch.tensor([rewards])
    nowhere = torch.zeros_like(reward, dtype=torch.bool)
    seen = Observation(features=torch.zeros(1, len(rewards), 1, 1))
    return Rollout(
        observations=seen,
        last_observation=seen.map(lambda x: x[0]),
        actions=torch.zeros(1, len(rewards), 1, dtype=torch.int64),
        reward=reward.unsqueeze(-1),
        team_reward=reward,
        terminated=nowhere,
        truncated=~nowhere,
        valid=~nowhere,
        component=torch.zeros(1, len(rewards), dtype=torch.int64),
        progress=Progress(),
        pieces=pieces,
    )


@pytest.mark.parametrize(
    ("pieces", "expected"),
    [
        (None, {"training_return": 2.0}),
        # The first goes on; the others had gained 5 and 7 before.
        (
            Pieces(torch.tensor([1.0, 5.0, 7.0]), torch.tensor([True, False, False])),
            {"training_return": 8.5},
        ),
        (Pieces(torch.zeros(3), torch.ones(3, dtype=torch.bool)), {}),
    ],
    ids=["whole episodes", "pieces", "no episode has ended"],
)
def test_mean_return(pieces: Pieces | None, expected: dict[str, float]) -> None:
    rollout = _rollout([1.0, 2.0, 3.0], pieces)
    local = seen_in_training(rollout, {}, PolicyResonance())
    found = means_over_ranks(local, SingleRank(), torch.device("cpu"))
    found = {k: v for k, v in found.items() if not k.startswith("coupling/")}
    assert found == expected


def test_advantages_of_a_piece_end_with_the_value_of_what_follows() -> None:
    """In a cut episode lambda = 1 gives the rewards up to the cut, and the value after it."""
    gamma, steps = 0.9, 5
    reward = torch.rand(steps, 1, 1, dtype=torch.float64)
    values = torch.rand(steps, 1, 1, dtype=torch.float64)
    after = torch.rand(1, 1, dtype=torch.float64)
    never = torch.zeros(steps, 1, dtype=torch.bool)
    found = generalised_advantages(
        reward,
        values,
        after,
        never,
        ~never,
        gamma,
        1.0,
    )
    expected = gamma**steps * after
    for step in reversed(range(steps)):
        expected = expected + gamma**step * reward[step]
    assert torch.allclose(found[0] + values[0], expected)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"host": {"name": "mappo", "body": "gru"}}, "host 'mappo' learns from whole"),
        ({"host": {"name": "qmix"}}, "host 'qmix' learns from whole"),
    ],
    ids=["memory", "replay"],
)
def test_who_needs_whole_episodes_is_refused(
    change: dict[str, Any], message: str
) -> None:
    data = {**_data(), **change}
    if change["host"]["name"] == "qmix":
        data["exploration"] = {"name": "epsilon_greedy"}
    with pytest.raises(UserError, match=message) as told:
        check(RunConfig.model_validate(data))
    assert told.value.location == ("training", "rollout_steps")


def test_games_in_turn_are_refused() -> None:
    with pytest.raises(ValueError, match=r"all games of .* are played at once"):
        RunConfig.model_validate(_data(parallel_games=8))


def test_games_that_cannot_be_saved_are_told_of(tmp_path: Path) -> None:
    data = _data()
    data["environment"] = {"name": "tests.support.unsaved_games:Unsaved"}
    with pytest.warns(
        RunWarning, match="cannot be saved, so where this run is resumed"
    ):
        go_on(start(tmp_path / "run", data))
    # It goes on all the same, with new games.
    broken = interrupted(tmp_path / "broken", data, POINTS["between checkpoints"])
    assert broken.summary.exists()
    with warnings.catch_warnings():
        warnings.simplefilter("error", RunWarning)
        go_on(start(tmp_path / "saved", _data()))
