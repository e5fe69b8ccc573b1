"""Copies that groups share learn as the one head would that they stand for."""

from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from marl_core.hosts.head_groups import HeadGroups
from marl_core.testing.strategies import seeds

GROUPS = st.lists(st.integers(0, 3), min_size=1, max_size=8)


def _drawn(shape: tuple[int, ...], seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=generator, dtype=torch.float64)


@given(GROUPS, seeds())
def test_a_group_acts_by_the_copy_of_its_first_agent(
    groups: list[int], seed: int
) -> None:
    copies = nn.Parameter(_drawn((len(groups), 3, 2), seed))
    shared = HeadGroups(groups)(copies)
    for agent, group in enumerate(groups):
        assert torch.equal(shared[agent], copies[groups.index(group)])


@given(GROUPS, seeds())
def test_gradients_are_those_of_one_head_for_each_group(
    groups: list[int], seed: int
) -> None:
    """All copies of a group get the same; their norm is that by the one head."""
    copies = nn.Parameter(_drawn((len(groups), 3, 2), seed))
    by_agent = _drawn((len(groups), 3, 2), seed + 1)
    (HeadGroups(groups)(copies) * by_agent).sum().backward()
    found = copies.grad
    assert found is not None
    for group in set(groups):
        members = [agent for agent, of in enumerate(groups) if of == group]
        of_one_head = by_agent[members].sum(0)
        each = of_one_head / len(members) ** 0.5
        assert torch.allclose(
            found[members], each.expand(len(members), -1, -1), atol=1e-6
        )
        assert torch.allclose(found[members].norm(), of_one_head.norm(), atol=1e-6)


@given(GROUPS, seeds())
def test_tied_copies_are_equal_and_parting_changes_nothing(
    groups: list[int], seed: int
) -> None:
    copies = nn.Parameter(_drawn((len(groups), 4), seed))
    together = HeadGroups(groups)
    before = together(copies).detach().clone()
    together.tie(copies)
    assert torch.equal(copies, before)
    together.change(range(len(groups)))
    assert torch.equal(together(copies), before)
