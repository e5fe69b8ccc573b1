"""What Lightning is told of the processes that train together."""

from __future__ import annotations

from typing import final

from lightning.fabric.plugins.environments.cluster_environment import (
    ClusterEnvironment,
)

from marl_core.training.place import Place


@final
class RunEnvironment(ClusterEnvironment):
    """A process's place, in Lightning's terms.

    Lightning itself would look for variables of launchers, and on SLURM write checkpoints of its
    own into the working directory and requeue the job.

    Args:
        place: of this process.
    """

    def __init__(self, place: Place) -> None:
        super().__init__()
        self._place = place

    @property
    def creates_processes_externally(self) -> bool:
        """Whether somebody else than Lightning starts the processes: always."""
        return True

    @property
    def main_address(self) -> str:
        """The address of rank 0's machine."""
        return self._place.address

    @property
    def main_port(self) -> int:
        """The port on which rank 0 waits."""
        return self._place.port

    @staticmethod
    def detect() -> bool:
        """Never: it is chosen by name."""
        return False

    def world_size(self) -> int:
        """How many processes there are."""
        return self._place.processes

    def set_world_size(self, size: int) -> None:
        """Do nothing: the number is known.

        Args:
            size: unused.
        """

    def global_rank(self) -> int:
        """The rank of this process."""
        return self._place.rank

    def set_global_rank(self, rank: int) -> None:
        """Do nothing: the rank is known.

        Args:
            rank: unused.
        """

    def local_rank(self) -> int:
        """The rank of this process on its machine."""
        return self._place.local_rank

    def node_rank(self) -> int:
        """The number of this process's machine."""
        return self._place.node
