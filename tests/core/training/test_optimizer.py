"""FlatAdam is Adam with clipped gradient norms, on vectors."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from marl_core.training.optimizer import FlatAdam, FlatOptimizer
from marl_core.types import ParameterGroup

LIMIT = 50.0


class Networks(nn.Module):
    """Two groups of parameters, one frozen parameter, and one that no loss depends on."""

    def __init__(self, seed: int = 0) -> None:
        super().__init__()
        random = torch.Generator().manual_seed(seed)

        def parameter(*shape: int) -> nn.Parameter:
            return nn.Parameter(torch.randn(*shape, generator=random))

        self.clipped = nn.ParameterList(
            [parameter(3, 4), parameter(4), parameter(4, 2)]
        )
        self.free = nn.ParameterList([parameter(3, 1), parameter(1)])
        self.unused = parameter(5)
        self.frozen = parameter(3)
        self.frozen.requires_grad_(False)

    def loss(self, inputs: Tensor) -> Tensor:
        inputs = inputs * self.frozen
        policy = (inputs @ self.clipped[0] + self.clipped[1]).tanh() @ self.clipped[2]
        return (
            policy.square().sum()
            + (inputs @ self.free[0] + self.free[1] - 1).square().sum()
        )

    def groups(self) -> list[ParameterGroup]:
        return [
            ParameterGroup([*self.clipped, self.frozen, self.unused], 1e-2, LIMIT),
            ParameterGroup(list(self.free), 1e-1),
        ]


def batches(count: int) -> list[Tensor]:
    """Inputs whose gradients lie on both sides of the limit of the norm."""
    random = torch.Generator().manual_seed(7)
    return [
        10.0 ** (index % 4 - 2) * torch.randn(6, 3, generator=random)
        for index in range(count)
    ]


def descend(networks: Networks, optimizer: FlatOptimizer, inputs: Tensor) -> None:
    optimizer.set_gradients(optimizer.gradients_of(networks.loss(inputs)))
    optimizer.step()


def test_equals_adam_on_the_parameters_with_clipped_norms() -> None:
    ours, theirs = Networks(), Networks()
    optimizer = FlatAdam(ours.groups())
    clipped = [*theirs.clipped, theirs.unused]
    adam = torch.optim.Adam(
        [{"params": clipped, "lr": 1e-2}, {"params": list(theirs.free), "lr": 1e-1}]
    )
    norms = []
    for inputs in batches(20):
        descend(ours, optimizer, inputs)
        adam.zero_grad()
        theirs.loss(inputs).backward()
        norms.append(float(nn.utils.clip_grad_norm_(clipped, LIMIT)))
        adam.step()
    assert min(norms) < LIMIT < max(norms)
    for (name, mine), reference in zip(
        ours.named_parameters(), theirs.parameters(), strict=True
    ):
        torch.testing.assert_close(mine, reference, rtol=1e-4, atol=1e-6, msg=name)
    assert torch.equal(ours.frozen, Networks().frozen)
    assert torch.equal(ours.unused, Networks().unused)


def test_only_the_first_group_is_clipped() -> None:
    networks = Networks()
    optimizer = FlatAdam(networks.groups())
    gradients = optimizer.gradients_of(networks.loss(100 * batches(1)[0]))
    before = [gradient.norm().item() for gradient in gradients]
    optimizer.set_gradients(gradients)
    optimizer.step()
    after = [
        vector.grad.norm().item()
        for vector in optimizer.vectors
        if vector.grad is not None
    ]
    assert before[0] > LIMIT
    assert before[1] > LIMIT
    assert abs(after[0] - LIMIT) < 1e-3
    assert after[1] == before[1]


def test_parameters_are_views_and_keep_their_values() -> None:
    networks, untouched = Networks(), Networks()
    optimizer = FlatAdam(networks.groups())
    for mine, original in zip(
        networks.parameters(), untouched.parameters(), strict=True
    ):
        assert torch.equal(mine, original)
    with torch.no_grad():
        optimizer.vectors[1].fill_(2.0)
    assert all(bool((parameter == 2.0).all()) for parameter in networks.free)


def test_a_group_without_trainable_parameters_is_left_out() -> None:
    networks = Networks()
    optimizer = FlatAdam([ParameterGroup([networks.frozen], 1e-2), *networks.groups()])
    assert len(optimizer.param_groups) == 2


def test_goes_on_from_its_state() -> None:
    """Interrupted after some steps and set up anew from what was saved, it takes the same steps to
    the last bit.
    """
    whole, first, second = Networks(), Networks(), Networks(seed=1)
    optimizer = FlatAdam(whole.groups())
    for inputs in batches(9):
        descend(whole, optimizer, inputs)
    interrupted = FlatAdam(first.groups())
    for inputs in batches(9)[:5]:
        descend(first, interrupted, inputs)
    saved = copy.deepcopy((first.state_dict(), interrupted.state_dict()))
    second.load_state_dict(saved[0])
    resumed = FlatAdam(second.groups())
    resumed.load_state_dict(saved[1])
    for inputs in batches(9)[5:]:
        descend(second, resumed, inputs)
    for mine, reference in zip(second.parameters(), whole.parameters(), strict=True):
        assert torch.equal(mine, reference)
