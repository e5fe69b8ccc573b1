"""Runs are repetitions of each other only if nothing that matters differs."""

from __future__ import annotations

from typing import Any

import pytest

from marl_core.config.run import RunConfig, StageConfig, TrainingConfig
from marl_core.reports.settings import identity, settings_of
from marl_core.runs.changes import FREE_PARTS, FREE_TRAINING_SETTINGS
from tests.support.runs import run_data

#: Another value than that of the run, for each setting of how it is driven.
OTHERS: dict[str, Any] = {
    "episodes_per_update": 8,
    "parallel_games": 4,
    "use_table": False,
    "evaluate_every": 7,
    "evaluation_episodes": 6,
    "log_every": 3,
    "checkpoint_every": 5,
    "accelerator": "gpu",
    "devices": 2,
    "num_nodes": 2,
    "strategy": "ddp",
    "precision": "bf16-true",
    "threads": 2,
    "compile": True,
    "tensorboard": True,
    "record_policies": True,
    "keep": {"every": 5},
    "rollout_steps": 4,
}
#: Parts of a config that are told apart by their own settings; runs differ in nothing else.
COMPARED = {
    "environment",
    "host",
    "exploration",
    "stages",
    "training",
    "optimizer",
}


def _identity(data: dict[str, Any]) -> str:
    return identity(settings_of(RunConfig.model_validate(data)))


def test_every_setting_of_training_is_tried() -> None:
    """A new one is either compared, or said to be free: see ``marl_core.runs.changes``."""
    fields = set(TrainingConfig.model_fields)
    unknown = fields - set(OTHERS) - FREE_TRAINING_SETTINGS
    assert not unknown, f"say here what another value of {unknown} is"
    assert set(OTHERS) <= fields
    free = {"seed", *FREE_PARTS}
    assert set(RunConfig.model_fields) == COMPARED | free
    assert set(StageConfig.model_fields) == {"episodes", "exploration"}


@pytest.mark.parametrize("setting", OTHERS)
def test_settings_part_experiments_unless_they_are_free(setting: str) -> None:
    other = run_data(**{setting: OTHERS[setting]})
    merged = _identity(run_data()) == _identity(other)
    assert merged == (setting in FREE_TRAINING_SETTINGS)


@pytest.mark.parametrize(
    ("part", "setting", "value"),
    [
        ("environment", "agents", 6),
        ("environment", "tag", "1A1B2C"),
        ("host", "epochs", 4),
        ("optimizer", "name", "sgd"),
        ("exploration", "coefficient", 0.5),
    ],
)
def test_settings_of_parts_part_experiments(
    part: str, setting: str, value: object
) -> None:
    other = run_data()
    other.setdefault(part, {})[setting] = value
    assert _identity(other) != _identity(run_data())


def test_stages_part_experiments() -> None:
    shorter, other = run_data(), run_data("pr")
    shorter["stages"] = shorter["stages"][:1]
    identities = {_identity(data) for data in (run_data(), shorter, other)}
    assert len(identities) == 3


def test_seeds_do_not_part_experiments() -> None:
    assert _identity({**run_data(), "seed": 8}) == _identity(run_data())
