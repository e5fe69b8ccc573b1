"""Networks that groups of agents share, against a plain torch network for each group."""

from __future__ import annotations

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from marl_core.hosts.bodies import GroupedRecurrent, Recurrent, body, memory_before
from marl_core.hosts.networks import Dense, Stack
from marl_core.hosts.parameter_sharing import groups_of
from marl_core.testing.strategies import seeds

WIDTH = 4
#: The group of each agent, counted from 0 without gaps, and not one group of all.
SHARINGS = (
    st.lists(st.integers(0, 3), min_size=2, max_size=5)
    .filter(lambda groups: len(set(groups)) > 1)
    .map(lambda groups: groups_of(groups, len(groups)))
)


def shaken(module: nn.Module, seed: int) -> None:
    """In double precision, and none of its parameters is zero."""
    random = torch.Generator().manual_seed(seed)
    module.double()
    with torch.no_grad():
        for parameter in module.parameters():
            noise = torch.randn(parameter.shape, generator=random, dtype=torch.float64)
            parameter.add_(0.3 * noise)


def drawn(*shape: int, seed: int) -> Tensor:
    random = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=random, dtype=torch.float64)


def plain_layers(layer: Dense, groups: int) -> list[nn.Linear]:
    """A layer of torch for each group, with the group's weights."""
    inputs, outputs = layer.weight.shape[1:]
    found = []
    for group in range(groups):
        one = nn.Linear(inputs, outputs, dtype=torch.float64)
        one.weight.data.copy_(layer.weight[group].T)
        one.bias.data.copy_(layer.bias[group])
        found.append(one)
    return found


def plain_cells(unit: GroupedRecurrent, groups: int) -> list[nn.GRUCell]:
    """A cell of torch for each group, with the group's weights."""
    found = []
    for group in range(groups):
        cell = nn.GRUCell(WIDTH, WIDTH, dtype=torch.float64)
        for layer, name in ((unit.of_input, "ih"), (unit.of_memory, "hh")):
            getattr(cell, f"weight_{name}").data.copy_(layer.weight[group].T)
            getattr(cell, f"bias_{name}").data.copy_(layer.bias[group])
        found.append(cell)
    return found


@given(SHARINGS, seeds(), st.booleans())
@settings(max_examples=20)
def test_layers_of_groups_are_plain_networks(
    sharing: tuple[int, ...], seed: int, identity: bool
) -> None:
    """Values and gradients, agent by agent."""
    agents, groups = len(sharing), max(sharing) + 1
    stack = Stack.build(
        [3, WIDTH, 2],
        torch.Generator().manual_seed(seed),
        relu=(True, False),
        agents=agents if identity else 0,
        sharing=sharing,
    )
    shaken(stack, seed)
    first, second = (one for one in stack.layers if isinstance(one, Dense))
    inputs = drawn(6, agents, 3, seed=seed)
    weights = drawn(6, agents, 2, seed=seed + 1)
    (stack(inputs) * weights).sum().backward()
    lower, upper = plain_layers(first, groups), plain_layers(second, groups)
    outputs = []
    for agent, group in enumerate(sharing):
        hidden = lower[group](inputs[:, agent])
        if first.identity is not None:
            hidden = hidden + first.identity[agent].detach()
        outputs.append(upper[group](hidden.relu()))
    expected = torch.stack(outputs, 1)
    torch.testing.assert_close(stack(inputs), expected)
    (expected * weights).sum().backward()
    for layer, plain in ((first, lower), (second, upper)):
        assert layer.weight.grad is not None
        assert layer.bias.grad is not None
        for group, one in enumerate(plain):
            assert one.weight.grad is not None
            torch.testing.assert_close(layer.weight.grad[group], one.weight.grad.T)
            torch.testing.assert_close(layer.bias.grad[group], one.bias.grad)


@given(
    SHARINGS,
    st.integers(1, 6),
    st.one_of(st.none(), st.integers(1, 7)),
    seeds(),
)
@settings(max_examples=20)
def test_units_of_groups_are_plain_cells(
    sharing: tuple[int, ...], steps: int, sequence: int | None, seed: int
) -> None:
    """Values and gradients, agent by agent and step by step, also where the gradient is cut."""
    agents, groups = len(sharing), max(sharing) + 1
    unit = GroupedRecurrent(WIDTH, sequence, torch.Generator(), sharing)
    shaken(unit, seed)
    inputs = drawn(steps, 3, agents, WIDTH, seed=seed)
    weights = drawn(steps, 3, agents, WIDTH, seed=seed + 1)
    cells = plain_cells(unit, groups)
    by_agent = []
    for agent, group in enumerate(sharing):
        hidden = torch.zeros(3, WIDTH, dtype=torch.float64)
        found = []
        for step in range(steps):
            if sequence is not None and step % sequence == 0:
                hidden = hidden.detach()
            hidden = cells[group](inputs[step, :, agent], hidden)
            found.append(hidden)
        by_agent.append(torch.stack(found))
    expected = torch.stack(by_agent, 2)
    outputs = unit.unroll(inputs)
    torch.testing.assert_close(outputs, expected)
    (outputs * weights).sum().backward()
    (expected * weights).sum().backward()
    for group, cell in enumerate(cells):
        for layer, name in ((unit.of_input, "ih"), (unit.of_memory, "hh")):
            assert layer.weight.grad is not None
            assert layer.bias.grad is not None
            ours = (layer.weight.grad[group].T, layer.bias.grad[group])
            theirs = [
                getattr(cell, f"{part}_{name}").grad for part in ("weight", "bias")
            ]
            torch.testing.assert_close(ours, tuple(theirs))
    hidden = torch.zeros_like(inputs[0])
    for now, after in zip(inputs, outputs, strict=True):
        hidden = unit.step(now, hidden)
        torch.testing.assert_close(hidden, after)


@given(SHARINGS, seeds())
@settings(max_examples=10)
def test_agents_begin_alike_in_a_group_alone(
    sharing: tuple[int, ...], seed: int
) -> None:
    """Each group draws weights of its own; no matrix of a gate is far from orthogonal."""
    made = body("gru", WIDTH, None, torch.Generator().manual_seed(seed), sharing)
    assert isinstance(made, GroupedRecurrent)
    for layer in (made.of_input, made.of_memory):
        assert len(layer.weight) == max(sharing) + 1
        gates = [gate for matrices in layer.weight for gate in matrices.chunk(3, -1)]
        for index, gate in enumerate(gates):
            torch.testing.assert_close(gate.T @ gate, torch.eye(WIDTH))
            others = gates[:index]
            assert not any(torch.allclose(gate, other) for other in others)
        assert not layer.bias.any()


def test_agents_that_all_share_have_the_unit_of_torch() -> None:
    assert isinstance(body("gru", WIDTH, None, torch.Generator(), None), Recurrent)


def test_memory_before_a_step_is_that_after_the_last() -> None:
    after = drawn(4, 2, 3, WIDTH, seed=0)
    before = memory_before(after, [3, 0, 1])
    assert torch.equal(before[0], after[2])
    assert not before[1].any()
    assert torch.equal(before[2], after[0])
