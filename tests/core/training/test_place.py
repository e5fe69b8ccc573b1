"""Which process of a run this one is, by what launchers say and what they only seem to say."""

from __future__ import annotations

import os

import pytest

from marl_core.config.run import RunConfig, TrainingConfig
from marl_core.errors import UserError
from marl_core.runs.changes import first_change
from marl_core.training.place import Place, place_of, was_restarted
from marl_core.training.stray_variables import drop_stray_ranks
from tests.support.runs import run_data

TORCHRUN = {
    "TORCHELASTIC_RUN_ID": "none",
    "RANK": "3",
    "LOCAL_RANK": "1",
    "GROUP_RANK": "1",
    "WORLD_SIZE": "4",
    "GROUP_WORLD_SIZE": "2",
    "MASTER_ADDR": "first.cluster",
    "MASTER_PORT": "29500",
}
SRUN = {
    "SLURM_JOB_ID": "1234",
    "SLURM_STEP_ID": "2",
    "SLURM_STEP_NUM_TASKS": "4",
    "SLURM_STEP_NUM_NODES": "2",
    "SLURM_STEP_NODELIST": "node[07-08]",
    "SLURM_NTASKS": "4",
    "SLURM_PROCID": "3",
    "SLURM_LOCALID": "1",
    "SLURM_NODEID": "1",
}
OWN = {"NODE_RANK": "1", "MASTER_ADDR": "first.cluster", "MASTER_PORT": "29500"}


@pytest.fixture(autouse=True)
def _no_launcher(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*TORCHRUN, *SRUN, *OWN, "TORCHELASTIC_RESTART_COUNT"):
        monkeypatch.delenv(name, raising=False)


def found(
    monkeypatch: pytest.MonkeyPatch, said: dict[str, str], nodes: int, devices: int
) -> Place:
    for name, value in said.items():
        monkeypatch.setenv(name, value)
    return place_of(TrainingConfig(num_nodes=nodes, devices=devices))


@pytest.mark.parametrize("said", [TORCHRUN, SRUN, OWN, {**TORCHRUN, **SRUN}])
def test_a_run_of_one_process_is_rank_0_whatever_is_said(
    monkeypatch: pytest.MonkeyPatch, said: dict[str, str]
) -> None:
    assert found(monkeypatch, said, 1, 1) == Place()


@pytest.mark.parametrize("said", [TORCHRUN, SRUN])
def test_launchers_say_the_place(
    monkeypatch: pytest.MonkeyPatch, said: dict[str, str]
) -> None:
    place = found(monkeypatch, said, 2, 2)
    assert (place.rank, place.local_rank, place.node) == (3, 1, 1)
    assert (place.processes, place.nodes, place.local_processes) == (4, 2, 2)
    assert not place.starts_others
    assert place.address == ("node07" if said is SRUN else "first.cluster")
    assert place.port > 1024


def test_the_first_process_of_a_machine_starts_the_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    place = found(monkeypatch, OWN, 2, 3)
    assert (place.rank, place.processes, place.port) == (3, 6, 29500)
    assert place.starts_others


def test_one_machine_needs_no_address(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of another program's variables, two runs at once would wait at the same port."""
    stray = {**OWN, "RANK": "1", "LOCAL_RANK": "1", "SLURM_PROCID": "1"}
    place = found(monkeypatch, stray, 1, 2)
    assert (place.rank, place.address, place.port) == (0, "127.0.0.1", 0)


@pytest.mark.parametrize(
    ("said", "nodes", "devices", "message"),
    [
        ({}, 2, 1, "started on each of them by torchrun or srun"),
        ({**OWN, "NODE_RANK": "2"}, 2, 1, "NODE_RANK (0 to 1)"),
        ({**OWN, "MASTER_PORT": "many"}, 2, 1, "MASTER_PORT"),
        (TORCHRUN, 1, 4, "torchrun started 2 x 2"),
        (SRUN, 1, 2, "srun started 2 x 2"),
        ({**TORCHRUN, "RANK": "7"}, 2, 2, "2 x 2 processes"),
    ],
)
def test_other_processes_than_asked_for_are_refused(
    monkeypatch: pytest.MonkeyPatch,
    said: dict[str, str],
    nodes: int,
    devices: int,
    message: str,
) -> None:
    with pytest.raises(UserError) as error:
        found(monkeypatch, said, nodes, devices)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_restarts_are_known(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not was_restarted()
    monkeypatch.setenv("TORCHELASTIC_RESTART_COUNT", "0")
    assert not was_restarted()
    monkeypatch.setenv("TORCHELASTIC_RESTART_COUNT", "1")
    assert was_restarted()


def test_where_processes_run_makes_no_difference_and_how_many_does() -> None:
    here = RunConfig.model_validate(run_data(devices=2))
    there = run_data(devices=1, num_nodes=2)
    more = run_data(devices=2, num_nodes=2)
    assert first_change(here, there) is None
    assert first_change(here, more) == "training.devices"


def test_ranks_that_are_no_numbers_are_ignored(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("RANK", "x\x1b[2J")
    monkeypatch.setenv("LOCAL_RANK", "1")
    drop_stray_ranks()
    assert "RANK" not in os.environ
    assert os.environ["LOCAL_RANK"] == "1"
    shown = capsys.readouterr().err
    assert shown.count("\n") == 1
    assert "\x1b" not in shown
