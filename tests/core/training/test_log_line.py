"""What loggers get: ``metrics.csv`` by updates and without a clock, all others by episodes."""

from __future__ import annotations

from pathlib import Path

import pytest
from tensorboard.backend.event_processing.event_accumulator import (  # type: ignore[import-untyped]
    EventAccumulator,
)

from marl_core.runs.metrics_rows import read_metrics
from marl_core.training.log_line import grouped
from tests.support.runs import go_on, run_data, start


def test_tags_are_grouped() -> None:
    names = (
        "episodes stage training_return policy_loss exact/return greedy/C1 coupling/x"
    )
    tags = grouped(dict.fromkeys(names.split(), 1.0))
    assert list(tags) == [
        "train/stage",
        "train/return",
        "train/policy_loss",
        "evaluation/exact/return",
        "evaluation/greedy/C1",
        "coupling/x",
    ]


@pytest.mark.parametrize("host", ["ppo_ma", "qmix", "conc4hist"])
def test_diagnostics_of_every_host(tmp_path: Path, host: str) -> None:
    data = run_data("pr", (3, 2), host, tensorboard=True, log_every=1)
    folder = start(tmp_path / "run", data)
    go_on(folder)
    events = EventAccumulator(str(folder.path / "tensorboard"))
    events.Reload()
    # Off-policy, the first update of a stage has nothing to learn from.
    for name in ("entropy", "approximate_kl", "steps_per_second", "learning_rate/0"):
        values = events.Scalars(f"diagnostics/{name}")
        assert [event.step for event in values] == [16, 32, 48, 64, 80]
        assert all(event.value > -1e-6 for event in values), name
    changes = [event.value for event in events.Scalars("diagnostics/approximate_kl")]
    assert max(changes) > 0
    assert max(changes) < 1
    entropies = [event.value for event in events.Scalars("diagnostics/entropy")]
    assert 0 < max(entropies) < 2.31
    assert events.Scalars("diagnostics/gradient_norm/0")


def test_the_metrics_file_has_no_clock_and_no_diagnostics(tmp_path: Path) -> None:
    folder = start(tmp_path / "run", run_data(tensorboard=True))
    go_on(folder)
    columns = {name for row in read_metrics(folder.metrics) for name in row}
    assert not any("second" in name or "diagnostics" in name for name in columns)
    assert {"update", "episodes", "stage", "training_return"} <= columns
