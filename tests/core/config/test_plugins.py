"""Loggers and callbacks in a config: found, made, refused in one line; and they change nothing."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest
from lightning import Callback

from marl_core import UserError, train
from marl_core.config.run import RunConfig
from marl_core.config.yaml_file import load_run
from marl_core.runs.changes import affects_learning, first_change
from tests.support.command import RUN
from tests.support.runs import run_data

CSV = "lightning.pytorch.loggers:CSVLogger"
MONITOR = "lightning.pytorch.callbacks:DeviceStatsMonitor"


class Counts(Callback):
    """Counts updates, each several times."""

    counted = 0

    def __init__(self, by: int) -> None:
        self._by = by

    def on_train_batch_end(self, *arguments: Any) -> None:
        Counts.counted += self._by


def with_part(tmp_path: Path, text: str) -> RunConfig:
    path = tmp_path / "run.yaml"
    path.write_text(RUN + text)
    return load_run(path)


def test_loggers_and_callbacks_of_a_config_are_used(tmp_path: Path) -> None:
    loggers = [{"name": "csv"}, {"name": CSV, "flush_logs_every_n_steps": 1}]
    callbacks = [{"name": f"{__name__}:Counts", "by": 2}]
    before = Counts.counted
    data = run_data(updates=(2, 1), log_every=1, tensorboard=True)
    train(
        data | {"loggers": loggers, "callbacks": callbacks},
        out=tmp_path / "run",
        progress=False,
    )
    (logged,) = (tmp_path / "run").rglob("version_0/metrics.csv")
    text = logged.read_text()
    assert "train/policy_loss" in text.splitlines()[0]
    assert Counts.counted == before + 2 * 3
    assert (tmp_path / "run" / "tensorboard" / "hparams.yaml").read_text() != "{}\n"


def test_tensorboard_by_its_name_is_the_same_one(tmp_path: Path) -> None:
    data = run_data(updates=(1, 1)) | {"loggers": [{"name": "tensorboard"}]}
    train(data, out=tmp_path / "run", progress=False)
    assert len(list((tmp_path / "run" / "tensorboard").glob("events*"))) == 2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "loggers: [{name: wanb}]",
            "loggers.0.name: unknown logger 'wanb', did you mean",
        ),
        (
            "loggers: [{name: csv}, {name: 'nowhere:At'}]",
            "cannot import logger 'nowhere:At'",
        ),
        (f"loggers: [{{name: '{CSV}s'}}]", "has no class 'CSVLoggers', did you mean"),
        (f"loggers: [{{name: '{CSV}', flavour: 1}}]", "unexpected keyword .*'flavour'"),
        ("callbacks: [{name: early}]", "unknown callback 'early'.*module:Class"),
        (f"callbacks: [{{name: '{MONITOR}', cpus: 1}}]", "unexpected keyword .*'cpus'"),
        ("callbacks: [{cpu_stats: true}]", "'name' is missing"),
    ],
)
def test_what_cannot_be_made_is_refused_with_its_line(
    tmp_path: Path, text: str, message: str
) -> None:
    with pytest.raises(UserError, match=message) as refused:
        with_part(tmp_path, text)
    assert str(refused.value).startswith(f"{tmp_path}/run.yaml:")
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("name", ["wandb", "mlflow"])
def test_a_missing_extra_says_what_to_install(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    advice = rf"not installed: pip install 'policy-resonance\[{name}\]'"
    with pytest.raises(UserError, match=advice):
        with_part(tmp_path, f"loggers: [{{name: {name}}}]")


def test_a_class_that_is_no_logger(tmp_path: Path) -> None:
    data = run_data() | {"loggers": [{"name": MONITOR}]}
    with pytest.raises(UserError, match="is no logger of Lightning's"):
        train(data, out=tmp_path / "run", progress=False)


@pytest.mark.parametrize(
    "change",
    [
        {"loggers": [{"name": CSV}]},
        {"callbacks": [{"name": MONITOR}]},
        {"training": {"tensorboard": True}},
        {"training": {"log_every": 1, "threads": 2}},
    ],
)
def test_watching_otherwise_is_no_change_of_a_run(change: dict[str, Any]) -> None:
    data = run_data()
    before = RunConfig.model_validate(data).model_dump(mode="json")
    training = {**data["training"], **change.get("training", {})}
    after = RunConfig.model_validate(data | change | {"training": training})
    assert first_change(after, before) is None
    assert after.model_dump(mode="json") != before


def test_what_affects_learning() -> None:
    assert affects_learning(("seed",))
    assert affects_learning(("training",))
    assert affects_learning(("training", "episodes_per_update"))
    assert affects_learning(("stages", 0, "episodes"))
    assert not affects_learning(("training", "threads"))
    assert not affects_learning(("loggers", 0, "name"))
