"""What the memory of value-based hosts is for, and runs with it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from marl_core.training.learner import Learner
from tests.support.resuming import interrupted
from tests.support.runs import differences, go_on, outcome, run_data, start


@pytest.mark.parametrize(
    "modes",
    [
        {"body": "gru"},
        {"mixer": "none", "body": "gru", "batches_per_update": 2},
        {"mixer": "none"},
    ],
    ids=["qmix-gru", "iql-gru", "iql"],
)
def test_an_interrupted_run_ends_as_if_it_had_never_been(
    modes: dict[str, Any], tmp_path: Path
) -> None:
    data = run_data("pr_fast", (3, 3), "qmix")
    data["host"].update(hidden=8, **modes)
    whole = start(tmp_path / "whole", data)
    go_on(whole)
    crashes = [(Learner, "training_step", 2, True), (Learner, "training_step", 5, True)]
    parts = interrupted(tmp_path / "parts", data, *crashes)
    assert differences(outcome(parts), outcome(whole)) == []


@pytest.mark.slow
@pytest.mark.parametrize("mixer", ["sum", "none"])
@pytest.mark.parametrize("body", ["gru", "mlp"])
def test_memory_is_learnt_where_it_is_needed(
    body: str, mixer: str, tmp_path: Path
) -> None:
    """Chance is 0.5; who cannot remember stays there."""
    data = {
        "seed": 0,
        "environment": {"name": "tests.support.recall:Recall"},
        "host": {
            "name": "qmix",
            "mixer": mixer,
            "body": body,
            "hidden": 16,
            "learning_rate": 3e-3,
            "batches_per_update": 4,
            "target_every": 128,
        },
        "exploration": {"name": "epsilon_greedy", "anneal_steps": 8000},
        "stages": [{"episodes": 64 * 80}],
        "training": {
            "episodes_per_update": 64,
            "evaluation_episodes": 256,
            "devices": 1,
            "tensorboard": False,
        },
    }
    folder = start(tmp_path / "run", data)
    go_on(folder)
    greedy = outcome(folder)["summary"]["return"]["greedy"]["mean"]
    if body == "gru":
        assert greedy > 0.95
    else:
        assert 0.35 < greedy < 0.65
