"""Sweeps as Ray tasks."""

from __future__ import annotations

import importlib.util
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from marl_core.errors import UserError
from marl_core.runs.folder import RunFolder
from marl_core.sweep import Job, run_sweep
from marl_core.sweep.ray_tasks import _knock
from tests.support.runs import differences, go_on, outcome
from tests.support.sweeps import chain, config, mortal_config


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
        *(
            Job(end, run.model_copy(update={"stages": run.stages[:1]}))
            for end, run in mortal.items()
        ),
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


@pytest.mark.skipif(
    importlib.util.find_spec("ray") is not None, reason="Ray is installed"
)
def test_without_ray(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="needs Ray: pip install ray") as refused:
        run_sweep([Job("a", config())], tmp_path, backend="ray")
    assert "\n" not in str(refused.value)


@pytest.fixture
def nobody_listens() -> str:
    """An address of this machine."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{taken.getsockname()[1]}"


@pytest.mark.parametrize("form", ["nowhere", "{}", "ray://{}"])
def test_without_a_cluster(
    form: str, nobody_listens: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("ray")
    address = form.format(nobody_listens)
    monkeypatch.setenv("RAY_ADDRESS", address)
    begun = time.monotonic()
    with pytest.raises(
        UserError, match=rf"Ray \({address}\) cannot be reached"
    ) as refused:
        run_sweep([Job("a", config())], tmp_path, backend="ray")
    assert "\n" not in str(refused.value)
    assert time.monotonic() - begun < 30  # left alone, Ray would try for minutes


def test_who_is_asked_whether_there_is_a_cluster(nobody_listens: str) -> None:
    for address in (nobody_listens, f"ray://{nobody_listens}"):
        with pytest.raises(OSError, match=r"\[Errno"):
            _knock(address)
    with socket.create_server(("127.0.0.1", 0)) as head:
        for prefix in ("", "ray://"):
            _knock(f"{prefix}127.0.0.1:{head.getsockname()[1]}")
    for left_to_ray in ("", "auto", "local", "nowhere", f"other://{nobody_listens}"):
        _knock(left_to_ray)
