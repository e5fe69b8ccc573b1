"""Where this process stands among those that train a run together.

A run of one process asks nobody: it is rank 0, whatever a launcher's variables say that happen to
be there. A run of several believes the launcher that started as many processes as its config asks
for, and starts the processes of its machine itself where there is none.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Literal, final

from lightning.fabric.plugins.environments.slurm import SLURMEnvironment

from marl_core.config.run import TrainingConfig
from marl_core.errors import UserError
from marl_core.training.parent import said_by_parent

#: Who starts the processes of a run.
Launcher = Literal["marl", "torchrun", "srun"]

_HERE = "127.0.0.1"


@final
@dataclass(frozen=True)
class Place:
    """Where a process stands.

    Attributes:
        rank: among all processes of the run, from 0.
        local_rank: among those of its machine, from 0.
        node: the number of its machine, from 0.
        processes: of the whole run.
        nodes: machines of the whole run.
        launcher: who starts the processes.
        address: of the machine of rank 0.
        port: on which rank 0 waits for the others; 0 while it is not chosen yet.
    """

    rank: int = 0
    local_rank: int = 0
    node: int = 0
    processes: int = 1
    nodes: int = 1
    launcher: Launcher = "marl"
    address: str = _HERE
    port: int = 0

    @property
    def local_processes(self) -> int:
        """Processes on this machine."""
        return self.processes // self.nodes

    @property
    def starts_others(self) -> bool:
        """Whether this process starts the others of its machine."""
        more = self.local_processes > 1
        return more and self.launcher == "marl" and self.local_rank == 0

    @property
    def was_started(self) -> bool:
        """Whether another process of the run started this one."""
        return self.launcher == "marl" and self.local_rank > 0


def place_of(training: TrainingConfig) -> Place:
    """The place of this process.

    Args:
        training: says of how many processes a run is.

    Raises:
        UserError: a launcher started another number of processes, or there is none for several
            machines.
    """
    if training.processes == 1:
        return Place()
    saying = said_by_parent()
    if saying is not None:
        place = Place(**saying["place"])
    elif "TORCHELASTIC_RUN_ID" in os.environ:
        place = _by_torchrun()
    elif (_number("SLURM_STEP_NUM_TASKS") or 1) > 1:
        place = _by_srun()
    else:
        place = _first_of_its_machine(training)
    _check_layout(place, training)
    return place


def was_restarted() -> bool:
    """Whether torchrun or SLURM has started this process's command before, and now anew."""
    by_torchrun = _number("TORCHELASTIC_RESTART_COUNT")
    by_slurm = _number("SLURM_RESTART_COUNT")
    return bool(by_torchrun or by_slurm)


def _by_torchrun() -> Place:
    return Place(
        rank=_number("RANK") or 0,
        local_rank=_number("LOCAL_RANK") or 0,
        node=_number("GROUP_RANK") or 0,
        processes=_number("WORLD_SIZE") or 1,
        nodes=_number("GROUP_WORLD_SIZE") or 1,
        launcher="torchrun",
        address=os.environ.get("MASTER_ADDR", _HERE),
        port=_number("MASTER_PORT") or 0,
    )


def _by_srun() -> Place:
    nodes = _number("SLURM_STEP_NUM_NODES") or _number("SLURM_NNODES") or 1
    listed = os.environ.get("SLURM_STEP_NODELIST", "")
    first = _HERE
    if nodes > 1:
        resolved = SLURMEnvironment.resolve_root_node_address(listed)
        first = os.environ.get("MASTER_ADDR") or resolved
    return Place(
        rank=_number("SLURM_PROCID") or 0,
        local_rank=_number("SLURM_LOCALID") or 0,
        node=_number("SLURM_NODEID") or 0,
        processes=_number("SLURM_STEP_NUM_TASKS") or 1,
        nodes=nodes,
        launcher="srun",
        address=first,
        port=_number("MASTER_PORT") or _port_of_the_step(),
    )


def _port_of_the_step() -> int:
    """A port that all processes of a job's step know, and other steps hardly have."""
    job = _number("SLURM_JOB_ID") or 0
    step = _number("SLURM_STEP_ID") or 0
    return 15000 + (31 * job + step) % 10000


def _first_of_its_machine(training: TrainingConfig) -> Place:
    """A process that nobody started for a run: it starts those of its machine."""
    nodes = training.num_nodes
    if nodes == 1:
        return Place(processes=training.processes)
    node = _number("NODE_RANK")
    port = _number("MASTER_PORT")
    address = os.environ.get("MASTER_ADDR")
    if node is None or node >= nodes or port is None or not address:
        message = (
            f"a run on {nodes} machines is started on each of them by torchrun or srun, or "
            f"with NODE_RANK (0 to {nodes - 1}), MASTER_ADDR and MASTER_PORT set"
        )
        raise UserError(message, "training", "num_nodes")
    return Place(
        rank=node * training.devices,
        node=node,
        processes=training.processes,
        nodes=nodes,
        address=address,
        port=port,
    )


def _check_layout(place: Place, training: TrainingConfig) -> None:
    asked = (training.num_nodes, training.devices)
    there = (place.nodes, place.local_processes)
    if asked != there or place.rank >= place.processes:
        message = (
            f"{asked[0]} x {asked[1]} processes (num_nodes x devices) were asked for, and "
            f"{place.launcher} started {there[0]} x {there[1]}"
        )
        raise UserError(message, "training", "devices")


def _number(variable: str) -> int | None:
    """A launcher's variable as a number from 0 on; None where it is none."""
    text = os.environ.get(variable, "")
    return int(text) if text.isdecimal() else None
