"""The pretend GPU refuses what CUDA refuses, takes what it takes, and counts what is waited for."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
import torch
from torch import Tensor, nn

from marl_core.late_number import LateNumber
from tests.support.host_waits import HostWaits
from tests.support.pretend_device import DEVICE, OnDevice, pretend_device

Of = Callable[[Tensor], object]


@pytest.fixture
def waits() -> Iterator[HostWaits]:
    with pretend_device() as waits:
        yield waits


def _five() -> Tensor:
    return torch.arange(5.0, device=DEVICE)


@pytest.mark.usefixtures("waits")
@pytest.mark.parametrize(
    "mixed",
    [
        lambda there: there + torch.ones(5),
        lambda there: torch.ones(5).add_(there),
        lambda there: torch.tensor(1.0).add_(there[0]),
        lambda there: torch.where(there > 1, there, torch.ones(5)),
        lambda there: torch.cat([there, torch.ones(5)]),
        lambda there: there.gather(0, torch.tensor([0])),
        lambda there: there.index_select(0, torch.tensor([0])),
        lambda there: torch.ones(5)[there.long()],
        lambda there: there.index_copy(0, torch.tensor([0]), there[:1]),
        lambda there: there.view(1, 5) @ torch.ones(5, 1),
        lambda there: nn.Linear(5, 1)(there),
        lambda there: torch.equal(there, torch.arange(5.0)),
        lambda there: there.numpy(),
        lambda there: torch.rand(2, generator=torch.Generator(), device=DEVICE),
        lambda there: torch.rand(2, generator=torch.Generator(DEVICE)),
    ],
)
def test_what_mixes_devices_is_refused(mixed: Of) -> None:
    with pytest.raises((RuntimeError, TypeError)):
        mixed(_five())


@pytest.mark.usefixtures("waits")
@pytest.mark.parametrize(
    "allowed",
    [
        lambda x: x * 2 + torch.tensor(3.0),
        lambda x: torch.where(x > 2, 0.0, x),
        lambda x: x[torch.tensor([1, 2])],
        lambda x: x[[0, 3]],
        lambda x: x.view(5, 1).expand(5, 2).contiguous().squeeze_(),
        lambda x: x.double().view(torch.int64) & 255,
        lambda x: x.sort(descending=True).indices,
        lambda x: torch.rand(
            3, generator=torch.Generator(x.device).manual_seed(1), device=x.device
        ),
    ],
)
def test_what_cuda_takes_gives_what_a_cpu_gives(
    allowed: Callable[[Tensor], Tensor],
) -> None:
    found = allowed(_five())
    assert isinstance(found, OnDevice)
    assert found.device == DEVICE
    assert torch.equal(found.cpu(), allowed(torch.arange(5.0)))


@pytest.mark.parametrize(
    ("asks", "kinds"),
    [
        (lambda x: x + 1, {}),
        (lambda x: float(x[0]), {"item": 1}),
        (lambda x: bool((x > 1).any()), {"item": 1}),
        (lambda x: x.nonzero(), {"size": 1}),
        (lambda x: x[x > 2], {"size": 1}),
        (lambda x: x.__setitem__(x > 2, 0.0), {}),
        (lambda x: x.__setitem__(1, 0.0), {"to device": 1}),
        (lambda x: x.__setitem__(slice(1, 3), 0.0), {}),
        (lambda x: x[x.long()], {}),
        (lambda x: x[torch.tensor([1])], {"to device": 1}),
        (lambda x: x.masked_fill(x > 2, 0.0), {}),
        (lambda x: torch.equal(x, x), {"equal": 1}),
        (lambda x: x.tolist(), {"to host": 1}),
        (lambda x: torch.tensor([1.0], device=DEVICE), {"to device": 1}),
        (lambda x: torch.full((), 1.0, device=DEVICE), {}),
        (lambda x: LateNumber(x[0]), {}),
        (lambda x: LateNumber(x[0]).read(), {"late": 1}),
    ],
)
def test_what_the_host_waits_for_is_counted(
    asks: Of, kinds: dict[str, int], waits: HostWaits
) -> None:
    there = _five()
    waits.clear()
    asks(there)
    assert waits.kinds() == kinds


def test_a_late_number_is_the_number() -> None:
    assert LateNumber(torch.tensor(2.5)).read() == 2.5
    with pretend_device():
        assert LateNumber(_five().sum()).read() == 10.0
