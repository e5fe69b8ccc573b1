"""The processes that train together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar, final

import torch
from lightning.fabric.utilities import move_data_to_device
from lightning.pytorch.utilities import rank_zero_only
from torch import Tensor

from marl_core.errors import UserError
from marl_core.learning import Ranks

T = TypeVar("T")


@final
class ToldByFirst(SystemExit):
    """Ends a rank without a word: rank 0 says why."""


@final
class ProcessRanks:
    """The processes of torch's default group.

    Args:
        count: how many there are.
    """

    def __init__(self, count: int) -> None:
        self._count = count

    @property
    def count(self) -> int:
        """The size of the group."""
        return self._count

    def mean(self, value: Tensor) -> Tensor:
        """The mean over the processes; ``value`` itself is left alone.

        Args:
            value: this process's, of any shape.
        """
        total = value.detach().clone()
        torch.distributed.all_reduce(total)
        return total.div_(self._count)


def mean_of_parts(parts: Sequence[Tensor], ranks: Ranks) -> list[Tensor]:
    """The means of several tensors of one kind of numbers, reduced all at once.

    Args:
        parts: this rank's; every rank has the same shapes.
        ranks: the processes that train together.
    """
    if ranks.count == 1 or not parts:
        return list(parts)
    whole = torch.cat([part.reshape(-1) for part in parts])
    sizes = [part.numel() for part in parts]
    means = ranks.mean(whole).split(sizes)
    return [mean.view_as(part) for mean, part in zip(means, parts, strict=True)]


def everyone_s(own: object, rank: int, count: int) -> list[Any]:
    """What each process has, on rank 0; on the others only their own, in its place.

    Args:
        own: this process's, of plain values and tensors.
        rank: of this process.
        count: how many processes there are.
    """
    if count == 1:
        return [own]
    found: list[Any] = [None] * count
    sent = move_data_to_device(own, "cpu")
    torch.distributed.gather_object(sent, found if rank == 0 else None)
    found[rank] = own
    return found


def from_everyone(own: T, count: int) -> list[T]:
    """What each process has, on all of them.

    Args:
        own: this process's, a plain value.
        count: how many processes there are.
    """
    found = [own] * count
    if count > 1:
        torch.distributed.all_gather_object(found, own)
    return found


def told_once(error: UserError, rank: int) -> BaseException:
    """What to raise where all ranks see the same mistake: rank 0 says it.

    Args:
        error: what is wrong.
        rank: of this process.
    """
    return error if rank == 0 else ToldByFirst(2)


def check_ranks(
    count: int,
    asked: int,
    saved: Mapping[str, Any] | None,
) -> None:
    """Refuse to train in another number of processes than the config or the checkpoint says.

    Args:
        count: how many processes there are.
        asked: how many the config asks for.
        saved: the checkpoint from which the run goes on, if it does.

    Raises:
        UserError: the numbers differ.
    """
    message = ""
    if count != asked:
        message = (
            f"{asked} processes were asked for, and there are {count}: "
            "a launcher's variables (RANK, WORLD_SIZE, SLURM_...) may say otherwise"
        )
    elif saved is not None and len(saved["marl"]["ranks"]) != count:
        before = len(saved["marl"]["ranks"])
        message = f"the checkpoint is of {before} processes, and there are {count}"
    if message:
        raise UserError(message, "training", "devices")


@contextmanager
def known_to_lightning(rank: int) -> Iterator[None]:
    """Inside of it, Lightning's loggers know the rank of this process.

    They would guess it from a launcher's variables, of which there may be any.

    Args:
        rank: of this process.
    """
    before = getattr(rank_zero_only, "rank", None)
    vars(rank_zero_only)["rank"] = rank
    try:
        yield
    finally:
        vars(rank_zero_only)["rank"] = before
