"""Sweeps as Ray tasks."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from marl_core.errors import UserError
from marl_core.sweep import Job, run_sweep
from marl_core.training.run_folder import RunFolder
from tests.runs import differences, go_on, outcome
from tests.sweeps import chain, config, mortal_config


@pytest.fixture
def two_cpus(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Ray on this machine."""
    ray = pytest.importorskip("ray")
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.setattr(sys, "path", [*sys.path])
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    yield
    ray.shutdown()
    sys.modules.pop("mortal", None)


@pytest.mark.usefixtures("two_cpus")
def test_a_sweep(tmp_path: Path) -> None:
    mortal = {end: mortal_config(tmp_path, end) for end in ("raise", "kill")}
    jobs = [
        *(Job(end, run.model_copy(update={"stages": run.stages[:1]})) for end, run in mortal.items()),
        Job("orphan", mortal["raise"], "raise"),
        *chain(3),
    ]
    runs = tmp_path / "runs"
    failures = run_sweep(jobs, runs, backend="ray", show_progress=False)
    assert "WorkerCrashedError" in failures.pop("kill")
    assert failures == {
        "raise": "RuntimeError: mortal, and dead",
        "orphan": "it continues 'raise', which failed",
    }
    assert "mortal.py" in (runs / "raise" / "error.txt").read_text()
    (tmp_path / "healed").touch()
    assert run_sweep(jobs, runs, backend="ray", show_progress=False) == {}
    whole = RunFolder(tmp_path / "whole")
    whole.create(config(stages=2))
    go_on(whole)
    assert differences(outcome(RunFolder(runs / "two-3")), outcome(whole)) == []


@pytest.mark.skipif(importlib.util.find_spec("ray") is not None, reason="Ray is installed")
def test_without_ray(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"pip install 'policy-resonance\[ray\]'") as refused:
        run_sweep([Job("a", config())], tmp_path, backend="ray")
    assert "\n" not in str(refused.value)


def test_without_a_cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("ray")
    monkeypatch.setenv("RAY_ADDRESS", "nowhere")  # to a well-formed address Ray tries to connect for minutes
    with pytest.raises(UserError, match=r"Ray \(nowhere\) cannot be reached") as refused:
        run_sweep([Job("a", config())], tmp_path, backend="ray")
    assert "\n" not in str(refused.value)
