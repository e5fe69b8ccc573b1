"""A team's networks against torch's own operations."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional

from marl_core.hosts.networks import Dense, Stack


def random_stack(
    agents: int, widths: list[int], *, identity: bool, seed: int = 0
) -> Stack:
    """A stack in double precision, none of whose parameters is zero."""
    random = torch.Generator().manual_seed(seed)
    relu = [index % 2 == 0 for index in range(len(widths) - 1)]
    stack = Stack.build(
        widths, random, relu=relu, agents=agents if identity else 0
    ).double()
    with torch.no_grad():
        for parameter in stack.parameters():
            parameter.add_(
                0.3
                * torch.randn(parameter.shape, generator=random, dtype=torch.float64)
            )
    return stack


def make_copies_differ(stack: Stack, agents: int) -> None:
    stack.copy_for_each_agent(agents)
    random = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in stack.parameters():
            parameter.add_(
                0.3
                * torch.randn(parameter.shape, generator=random, dtype=torch.float64)
            )


def reference(stack: Stack, inputs: Tensor) -> Tensor:
    """The same agent by agent, by ``torch.nn.functional``."""
    outputs = []
    for agent in range(inputs.shape[-2]):
        hidden = inputs[..., agent, :]
        for layer in stack.layers:
            assert isinstance(layer, Dense)
            own = layer.weight.dim() == 3
            weight, bias = (
                (layer.weight[agent], layer.bias[agent])
                if own
                else (layer.weight, layer.bias)
            )
            hidden = functional.linear(hidden, weight.T, bias)
            if layer.identity is not None:
                hidden = hidden + layer.identity[agent]
            hidden = functional.relu(hidden) if layer.relu else hidden
        outputs.append(hidden)
    return torch.stack(outputs, -2)


@given(
    agents=st.integers(1, 4),
    widths=st.lists(st.integers(1, 5), min_size=2, max_size=5),
    leading=st.lists(st.integers(1, 3), max_size=3),
    identity=st.booleans(),
    copied=st.booleans(),
)
def test_outputs_and_gradients(
    agents: int, widths: list[int], leading: list[int], identity: bool, copied: bool
) -> None:
    stack = random_stack(agents, widths, identity=identity)
    if copied:
        make_copies_differ(stack, agents)
    random = torch.Generator().manual_seed(2)
    inputs = torch.randn(
        *leading,
        agents,
        widths[0],
        generator=random,
        dtype=torch.float64,
        requires_grad=True,
    )
    cotangent = torch.randn(
        *leading, agents, widths[-1], generator=random, dtype=torch.float64
    )
    outputs = stack(inputs)
    expected = reference(stack, inputs)
    torch.testing.assert_close(outputs, expected)
    wanted = [inputs, *stack.parameters()]
    ours = torch.autograd.grad(outputs, wanted, cotangent)
    theirs = torch.autograd.grad(expected, wanted, cotangent)
    for mine, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(mine, other)


@pytest.mark.parametrize("copied", [False, True])
def test_gradients_numerically(copied: bool) -> None:
    stack = random_stack(3, [2, 4, 3], identity=True)
    if copied:
        make_copies_differ(stack, 3)
    names, parameters = zip(*stack.named_parameters(), strict=True)

    def outputs(inputs: Tensor, *values: Tensor) -> Tensor:
        given_values = dict(zip(names, values, strict=True))
        found: Tensor = torch.func.functional_call(stack, given_values, (inputs,))
        return found

    inputs = torch.randn(
        2,
        3,
        2,
        dtype=torch.float64,
        generator=torch.Generator().manual_seed(3),
        requires_grad=True,
    )
    assert torch.autograd.gradcheck(outputs, (inputs, *parameters))


def test_a_copy_for_each_agent_leaves_the_outputs() -> None:
    stack = random_stack(4, [3, 5, 2], identity=True)
    inputs = torch.randn(
        6, 4, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(4)
    )
    before = stack(inputs)
    stack.copy_for_each_agent(4)
    torch.testing.assert_close(stack(inputs), before)
    weights = [
        layer.weight.clone() for layer in stack.layers if isinstance(layer, Dense)
    ]
    stack.copy_for_each_agent(4)  # a second time changes nothing
    assert all(
        torch.equal(layer.weight, weight)
        for layer, weight in zip(stack.layers, weights, strict=True)
        if isinstance(layer, Dense)
    )


def test_copies_learn_apart() -> None:
    stack = random_stack(3, [2, 4, 2], identity=True)
    stack.copy_for_each_agent(3)
    inputs = torch.randn(
        5, 3, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(5)
    )
    stack(inputs)[:, 1].sum().backward()
    for parameter in stack.parameters():
        assert parameter.grad is not None
        assert bool(parameter.grad[1].any())
        assert not bool(parameter.grad[[0, 2]].any())


def test_identity_is_a_one_hot_input() -> None:
    """The embedding e_i is what the agent's one-hot, appended to the input, would add."""
    random = torch.Generator().manual_seed(6)
    dense = Dense(3, 4, random, relu=False, gain=1.0, agents=2)
    assert dense.identity is not None
    inputs = torch.randn(5, 2, 3, generator=random)
    one_hot = torch.eye(2).expand(5, 2, 2)
    joined = torch.cat([dense.weight, dense.identity])
    torch.testing.assert_close(
        dense(inputs), torch.cat([inputs, one_hot], -1) @ joined + dense.bias
    )
    # Orthogonal as a whole.
    torch.testing.assert_close(joined.T @ joined, torch.eye(4))


def test_a_frozen_stack_passes_gradients_on() -> None:
    stack = random_stack(2, [3, 3], identity=False)
    stack.requires_grad_(False)
    inputs = torch.randn(
        4,
        2,
        3,
        dtype=torch.float64,
        generator=torch.Generator().manual_seed(7),
        requires_grad=True,
    )
    stack(inputs).sum().backward()
    assert inputs.grad is not None
    assert all(parameter.grad is None for parameter in stack.parameters())
    assert not stack(inputs.detach()).requires_grad


def test_inputs_take_the_precision_of_the_weights() -> None:
    stack = random_stack(2, [3, 3], identity=False)
    assert stack(torch.zeros(2, 3)).dtype == torch.float64
