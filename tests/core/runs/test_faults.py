"""A few file operations of a run fail; see ``test_every_operation_fails`` for all of them."""

from __future__ import annotations

import errno
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from marl_core.api.run import load
from marl_core.api.training import train
from marl_core.runs.folder import RunFolder
from tests.support.fault_tries import everything
from tests.support.faults import DeadError, Fault, Kind, injected
from tests.support.runs import differences, run_data

#: What is raised by each kind.
RAISED: dict[Kind, type[BaseException]] = {
    "dead": DeadError,
    "full": OSError,
    "eio": OSError,
    "int": KeyboardInterrupt,
}


@dataclass(frozen=True)
class Whole:
    """A run that met no fault.

    Attributes:
        data: its config.
        operations: all that it did.
        left: all that it left.
    """

    data: dict[str, Any]
    operations: list[str]
    left: dict[str, Any]

    def nth(self, number: int, operation: str) -> int:
        """At which place an operation comes for the n-th time."""
        places = [
            place
            for place, name in enumerate(self.operations, start=1)
            if name.startswith(operation)
        ]
        return places[number - 1]


@pytest.fixture(scope="module")
def whole_of(
    tmp_path_factory: pytest.TempPathFactory,
) -> Callable[[str], Whole]:
    """The run of a host that met no fault."""
    made: dict[str, Whole] = {}

    def make(host: str) -> Whole:
        if host not in made:
            often = {"checkpoint_every": 1, "evaluate_every": 2, "log_every": 1}
            data = run_data("pr_fast", (2, 1), host, **often, record_policies=True)
            path = tmp_path_factory.mktemp(host) / "run"
            fault = Fault(path)
            with injected(fault):
                train(data, out=path, progress=False)
            left = everything(RunFolder(path))
            made[host] = Whole(data, fault.operations, left)
        return made[host]

    return make


CASES: list[tuple[str, Kind, int, str]] = [
    ("ppo_ma", "dead", 1, "rename config.yaml"),
    ("ppo_ma", "dead", 3, "rename checkpoints/last.ckpt."),
    ("ppo_ma", "dead", 2, "write metrics.csv"),
    ("ppo_ma", "full", 2, "write checkpoints/last.ckpt"),
    ("ppo_ma", "eio", 3, "fsync metrics.csv"),
    ("ppo_ma", "int", 2, "write checkpoints/last.ckpt"),
    ("qmix", "dead", 1, "rename checkpoints/last.ckpt"),
    ("qmix", "full", 1, "write summary.json"),
    ("conc4hist", "dead", 2, "write checkpoints/last.ckpt"),
]


@pytest.mark.parametrize(("host", "kind", "number", "operation"), CASES)
def test_a_run_that_met_a_fault_goes_on_as_if_it_had_not(
    host: str,
    kind: Kind,
    number: int,
    operation: str,
    tmp_path: Path,
    whole_of: Callable[[str], Whole],
) -> None:
    whole = whole_of(host)
    path = tmp_path / "run"
    fault = Fault(path, kind, whole.nth(number, operation))
    with pytest.raises(RAISED[kind]) as raised, injected(fault):
        train(whole.data, out=path, progress=False)
    if isinstance(raised.value, OSError):
        assert raised.value.errno in (errno.ENOSPC, errno.EIO)
        assert str(raised.value.filename).startswith(str(path))
    if RunFolder(path).config_file.exists():
        load(path).resume(progress=False)
    else:
        train(whole.data, out=path, progress=False)
    assert differences(everything(RunFolder(path)), whole.left) == []
    assert list(path.rglob("*.part")) == []


def test_control_c_while_a_stage_s_last_checkpoint_is_written(
    tmp_path: Path, whole_of: Callable[[str], Whole]
) -> None:
    """The run stops, and does not go on with the next stage."""
    whole = whole_of("ppo_ma")
    path = tmp_path / "run"
    at = whole.nth(2, "write checkpoints/last.ckpt")
    with pytest.raises(KeyboardInterrupt), injected(Fault(path, "int", at)):
        train(whole.data, out=path, progress=False)
    saved = RunFolder(path).load_checkpoint()
    assert saved is not None
    assert saved["marl"]["progress"]["stage"] == 0
    assert saved["marl"]["progress"]["stage_episodes"] == 32
