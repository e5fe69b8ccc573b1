"""Attention, choice, memory and normalisation against slow and readable versions."""

from __future__ import annotations

import math
from typing import Any, final

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from marl_core.hosts.conc4hist import tiles
from marl_core.hosts.conc4hist.attention import Readout, attend
from marl_core.hosts.conc4hist.block import ConcentrationBlock
from marl_core.hosts.conc4hist.choice import most_attended
from marl_core.hosts.conc4hist.concentration import ConcentrationNetwork
from marl_core.hosts.conc4hist.history import remember
from marl_core.hosts.conc4hist.running_norm import RunningNorm
from marl_core.hosts.conc4hist.surroundings import Surroundings
from marl_core.learning import Ranks, SingleRank
from marl_core.testing.strategies import seeds

FEATURES = 3
WIDTH = 4


def slow_block(
    network: ConcentrationNetwork,
    block: ConcentrationBlock,
    own: Tensor,
    rows: list[Tensor | None],
) -> Any:
    """C and M of one agent, entity by entity, with keys and values; absent entities are zeros."""
    first = network.encoder.first
    second = network.encoder.second

    def encode(row: Tensor) -> Tensor:
        return (row @ first.weight + first.bias).relu() @ second.weight + second.bias

    filled = [torch.zeros_like(own) if row is None else row for row in rows]
    encoded = [encode(row) for row in filled]
    query = encode(own) @ block.query
    scores = {
        j: query @ (encoded[j] @ block.key) / math.sqrt(WIDTH)
        for j, row in enumerate(rows)
        if row is not None
    }
    attention = [torch.zeros((), dtype=own.dtype)] * len(rows)
    if scores:
        for j, weight in zip(
            scores, torch.stack(list(scores.values())).softmax(0), strict=True
        ):
            attention[j] = weight
    mean = sum(
        (a * (v @ block.value) for a, v in zip(attention, encoded, strict=True)),
        torch.zeros_like(encoded[0]),
    )
    motive = (
        torch.cat([encode(own), mean]) @ block.motive.weight + block.motive.bias
    ).relu()
    order = sorted(range(len(rows)), key=lambda j: -float(attention[j].detach()))[
        : block.count
    ]  # a stable sort
    seen = [encode(own), *(encoded[j] for j in order), own, *(filled[j] for j in order)]
    return (torch.cat(seen) @ block.focus.weight + block.focus.bias).relu(), motive


def random_network(seed: int, count: int) -> ConcentrationNetwork:
    random = torch.Generator().manual_seed(seed)
    network = ConcentrationNetwork(FEATURES, WIDTH, count, random).double()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(
                0.3
                * torch.randn(parameter.shape, generator=random, dtype=torch.float64)
            )
    return network


@given(
    seed=seeds(),
    samples=st.integers(1, 4),
    entities=st.integers(3, 6),
    share=st.sampled_from([0.0, 0.4, 1.0]),
)
@settings(max_examples=15)
def test_network_is_the_readable_one(
    seed: int, samples: int, entities: int, share: float
) -> None:
    """Outputs and gradients, also where few or no entities are there."""
    random = torch.Generator().manual_seed(seed)
    network = random_network(seed, 3)
    shape = (samples, entities)
    masks = torch.rand(2, *shape, generator=random) < share
    rows = torch.randn(
        2, *shape, FEATURES, generator=random, dtype=torch.float64
    ) * masks.unsqueeze(-1)
    concentrated, motive = network(Surroundings(rows[0], masks[0], rows[1], masks[1]))
    slow_c = []
    slow_m = []
    for b in range(samples):
        own = rows[0, b, 0]
        groups = [
            [rows[g, b, j] if masks[g, b, j] else None for j in range(1 - g, entities)]
            for g in range(2)
        ]
        found = [
            slow_block(network, block, own, group)
            for block, group in zip((network.now, network.past), groups, strict=True)
        ]
        slow_c.append(torch.cat([c for c, _ in found]))
        slow_m.append(torch.cat([m for _, m in found]))
    pairs = ((concentrated, torch.stack(slow_c)), (motive, torch.stack(slow_m)))
    for own_output, slow in pairs:
        torch.testing.assert_close(own_output, slow)
        gradients = [
            torch.autograd.grad(
                out.square().sum(),
                list(network.parameters()),
                allow_unused=True,
                materialize_grads=True,
                retain_graph=True,
            )
            for out in (own_output, slow)
        ]
        torch.testing.assert_close(*gradients)


def test_the_policy_does_not_train_the_attention() -> None:
    network = random_network(0, 3)
    random = torch.Generator().manual_seed(1)
    rows = torch.randn(2, 5, 4, FEATURES, generator=random, dtype=torch.float64)
    mask = torch.ones(5, 4, dtype=torch.bool)
    concentrated, motive = network(Surroundings(rows[0], mask, rows[1], mask))
    parts = {"critic": network.critic_parameters(), "actor": network.actor_parameters()}
    reached = {
        (output, part): [
            g is not None and bool(g.any())
            for g in torch.autograd.grad(
                value.square().sum(), parameters, allow_unused=True, retain_graph=True
            )
        ]
        for output, value in (("policy", concentrated), ("value", motive))
        for part, parameters in parts.items()
    }
    assert not any(reached["policy", "critic"])
    assert all(reached["policy", "actor"])
    assert all(reached["value", "critic"])
    assert reached["value", "actor"] == [True] * 4 + [False] * 4  # the encoder alone
    assert {id(p) for ps in parts.values() for p in ps} == {
        id(p) for p in network.parameters()
    }


def slow_attend(
    query: Tensor,
    rows: Tensor,
    mask: Tensor,
    weight: Tensor,
    bias: Tensor,
    readout: Readout,
) -> Any:
    """Mean, attention and what the chosen give, by plain autograd on all of ``h``."""
    hidden = (rows @ weight + bias).relu()
    scores = (hidden * query.unsqueeze(1)).sum(-1).masked_fill(~mask, -math.inf)
    attention = torch.where(
        mask.any(-1, keepdim=True), scores.softmax(-1), 0.0
    ).masked_fill(~mask, 0.0)
    order = torch.sort(
        attention[:, readout.first :], dim=-1, descending=True, stable=True
    ).indices
    row = torch.arange(len(rows)).unsqueeze(-1)
    best = order[:, : readout.count] + readout.first
    chosen = (
        hidden[row, best].flatten(1) @ readout.by_hidden
        + rows[row, best].flatten(1) @ readout.by_features
    )
    return (attention.unsqueeze(-1) * hidden).sum(1), attention, chosen


def attended(
    seed: int, entities: int, share: float, count: int, first: int
) -> tuple[list[Tensor], Tensor, Tensor]:
    """What ``attend`` takes, in double precision: what learns, features, mask. 5 samples."""
    random = torch.Generator().manual_seed(seed)
    shapes = [
        (5, WIDTH),
        (FEATURES, WIDTH),
        (WIDTH,),
        (count * WIDTH, 2),
        (count * FEATURES, 2),
    ]
    learning = [
        torch.randn(shape, generator=random, dtype=torch.float64).requires_grad_()
        for shape in shapes
    ]
    mask = torch.rand(5, entities, generator=random) < share
    mask[:, :first] = False
    rows = torch.randn(5, entities, FEATURES, generator=random, dtype=torch.float64)
    return learning, rows, mask


def run_attend(
    learning: list[Tensor],
    rows: Tensor,
    mask: Tensor,
    first: int,
    function: Any = attend,
) -> Any:
    query, weight, bias, by_hidden, by_features = learning
    readout = Readout(len(by_hidden) // WIDTH, first, by_hidden, by_features)
    return tuple(function(query, rows, mask, weight, bias, readout))


@given(
    seed=seeds(),
    entities=st.integers(3, 5),
    share=st.sampled_from([0.0, 0.5, 1.0]),
    count=st.integers(1, 2),
    first=st.integers(0, 1),
    tile=st.integers(1, 6),
    frozen=st.sets(st.integers(0, 4), max_size=4),
)
@settings(max_examples=25)
def test_attention_is_that_of_plain_autograd(
    seed: int,
    entities: int,
    share: float,
    count: int,
    first: int,
    tile: int,
    frozen: set[int],
) -> None:
    """Values and gradients, with tiles of any size and whatever learns."""
    learning, rows, mask = attended(seed, entities, share, count, first)
    for place in frozen:
        learning[place].requires_grad_(False)
    learns = [parameter for parameter in learning if parameter.requires_grad]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tiles, "TILE", tile)
        found, slow = (
            run_attend(learning, rows, mask, first, f) for f in (attend, slow_attend)
        )
        gradients = [
            torch.autograd.grad(
                mean.square().sum() + chosen.square().sum() + mean.sum(),
                learns,
                allow_unused=True,
            )
            for mean, _, chosen in (found, slow)
        ]
    torch.testing.assert_close(found, slow)
    assert not found[1].requires_grad
    for gradient, slowly in zip(*gradients, strict=True):
        torch.testing.assert_close(
            gradient, torch.zeros_like(gradient) if slowly is None else slowly
        )


@given(seed=seeds(), share=st.sampled_from([0.0, 0.5, 1.0]))
@settings(max_examples=4)
def test_attention_has_the_right_gradient(seed: int, share: float) -> None:
    learning, rows, mask = attended(seed, 4, share, 2, 1)
    assert torch.autograd.gradcheck(
        lambda *x: run_attend(list(x), rows, mask, 1)[::2], learning
    )


def test_under_mixed_precision_attention_keeps_the_numbers_of_the_parameters() -> None:
    learning, rows, mask = attended(0, 5, 0.7, 2, 0)
    single = [parameter.detach().float().requires_grad_() for parameter in learning]
    results = []
    for mixed in (False, True):
        with torch.autocast("cpu", torch.bfloat16, enabled=mixed):
            found = run_attend(
                [single[0].bfloat16().float(), *single[1:]], rows.float(), mask, 0
            )
            results.append(
                (found, torch.autograd.grad(found[0].sum() + found[2].sum(), single))
            )
    torch.testing.assert_close(*results, rtol=0, atol=0)


@given(
    rows=st.lists(
        st.lists(st.sampled_from([0.0, 0.25, 0.5, 1.0]), min_size=5, max_size=5),
        min_size=1,
        max_size=4,
    ),
    count=st.integers(1, 5),
)
def test_choice_is_that_of_a_stable_sort(rows: list[list[float]], count: int) -> None:
    weights = torch.tensor(rows)
    expected = torch.sort(weights, dim=-1, descending=True, stable=True).indices[
        :, :count
    ]
    assert torch.equal(most_attended(weights, count), expected)


@given(
    seed=seeds(),
    agents=st.integers(1, 4),
    slots=st.integers(1, 6),
    entities=st.integers(1, 6),
)
@settings(max_examples=30)
def test_the_history_is_a_queue_of_entities(
    seed: int, agents: int, slots: int, entities: int
) -> None:
    random = torch.Generator().manual_seed(seed)
    past = torch.zeros(2, agents, slots, FEATURES)
    past_mask = torch.zeros(2, agents, slots, dtype=torch.bool)
    queues: dict[tuple[int, int], list[list[float]]] = {
        (g, i): [] for g in range(2) for i in range(agents)
    }
    for _ in range(4):
        seen = torch.randn(2, agents, entities, FEATURES, generator=random)
        mask = torch.rand(2, agents, entities, generator=random) < torch.rand(
            (), generator=random
        )
        past, past_mask = remember(past, past_mask, seen, mask)
        for (game, agent), queue in queues.items():
            new = [
                seen[game, agent, j].tolist()
                for j in range(entities)
                if mask[game, agent, j]
            ]
            queue[:] = (new + queue)[:slots]
            assert past[game, agent, : len(queue)].tolist() == queue
            assert not past[game, agent, len(queue) :].any()
            assert past_mask[game, agent].tolist() == [
                place < len(queue) for place in range(slots)
            ]


@final
class TwoRanks(Ranks):
    """Two processes of which the other's values are known in advance."""

    def __init__(self, other: Tensor) -> None:
        self._other = other

    @property
    def count(self) -> int:
        return 2

    def mean(self, value: Tensor) -> Tensor:
        return (value + self._other) / 2


@given(seed=seeds(), share=st.sampled_from([0.0, 0.3, 1.0]))
@settings(max_examples=15)
def test_normalisation_over_parts_and_ranks_is_that_over_all(
    seed: int, share: float
) -> None:
    random = torch.Generator().manual_seed(seed)
    whole = RunningNorm(FEATURES)
    shared = RunningNorm(FEATURES)
    for batch in range(3):
        rows = torch.randn(4, 5, FEATURES, generator=random) * 5 + 2
        rows[..., 0] = (
            rows[..., 0].sign() if batch < 2 else rows[..., 0]
        )  # a flag at first, then no more
        mask = torch.rand(4, 5, generator=random) < share
        rows[~mask] = 1e9  # what is masked is not there
        before = (shared.mean.clone(), shared.variance.clone())
        shared(rows, mask)
        assert torch.equal(shared.mean, before[0])
        assert torch.equal(shared.variance, before[1])
        whole.update(whole.moments(rows, mask), SingleRank())
        first, second, other = (
            shared.moments(rows[part], mask[part]) for part in ([0], [1, 2], [3])
        )
        shared.update(first + second, TwoRanks(other))
        torch.testing.assert_close(
            dict(shared.named_buffers()), dict(whole.named_buffers())
        )
        assert bool(whole.one_hot[0]) == (batch < 2 or not mask.any())
    assert int(whole.count) <= 60
    normalised = whole(rows, mask)
    assert not normalised[~mask].any()
    assert normalised.abs().max() <= 10
