"""Attention, choice, memory and normalisation against slow and readable versions."""

from __future__ import annotations

import math
from typing import Any, final

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from marl_core.compiled_code import compiler
from marl_core.errors import UserError
from marl_core.hosts.conc4hist import tiles
from marl_core.hosts.conc4hist.attention import Kernels, attend
from marl_core.hosts.conc4hist.block import ConcentrationBlock
from marl_core.hosts.conc4hist.choice import most_attended
from marl_core.hosts.conc4hist.concentration import ConcentrationNetwork
from marl_core.hosts.conc4hist.history import Histories, remember
from marl_core.hosts.conc4hist.running_norm import RunningNorm
from marl_core.hosts.conc4hist.surroundings import Surroundings, with_nobody
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


def surroundings(rows: Tensor, masks: Tensor) -> Surroundings:
    """Entities of now and of the past ``[2, B, K, F]``; only the agent's own are always there."""
    listed = with_nobody(rows.flatten(0, 2))
    nobody = len(listed) - 1
    index = torch.arange(nobody).view(masks.shape)
    index = torch.where(masks, index, nobody)
    index[0, :, 0] = torch.arange(nobody).view(masks.shape)[0, :, 0]
    return Surroundings(listed, index[0], index[1])


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
    concentrated, motive = network(surroundings(rows, masks))
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
    masks = torch.ones(2, 5, 4, dtype=torch.bool)
    concentrated, motive = network(surroundings(rows, masks))
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
    index: Tensor,
    weight: Tensor,
    bias: Tensor,
    count: int,
) -> Any:
    """Mean, attention, the chosen and their places, by plain autograd on all of ``h``."""
    mask = index != len(rows) - 1
    hidden = (rows[index] @ weight + bias).relu()
    scores = (hidden * query.unsqueeze(1)).sum(-1).masked_fill(~mask, -math.inf)
    attention = torch.where(
        mask.any(-1, keepdim=True), scores.softmax(-1), 0.0
    ).masked_fill(~mask, 0.0)
    order = torch.sort(attention, dim=-1, descending=True, stable=True).indices
    best = order[:, :count]
    chosen = hidden[torch.arange(len(index)).unsqueeze(-1), best]
    return (attention.unsqueeze(-1) * hidden).sum(1), attention, chosen, best


def attended(
    seed: int, entities: int, share: float, dtype: torch.dtype = torch.float64
) -> tuple[list[Tensor], Tensor, Tensor]:
    """What ``attend`` takes: what learns (query, W, b), rows, indices. 5 samples, 9 entities."""
    random = torch.Generator().manual_seed(seed)
    shapes = [(5, WIDTH), (FEATURES, WIDTH), (WIDTH,)]
    learning = [
        torch.randn(shape, generator=random, dtype=torch.float64)
        .to(dtype)
        .requires_grad_()
        for shape in shapes
    ]
    rows = with_nobody(
        torch.randn(9, FEATURES, generator=random, dtype=torch.float64).to(dtype)
    )
    index = torch.randint(0, 9, (5, entities), generator=random)
    there = torch.rand(5, entities, generator=random) < share
    return learning, rows, torch.where(there, index, 9)


def gradients_of(found: Any, learns: list[Tensor]) -> tuple[Tensor, ...]:
    mean, _, chosen, _ = found
    total = mean.square().sum() + chosen.square().sum() + mean.sum()
    return torch.autograd.grad(total, learns, allow_unused=True, materialize_grads=True)


@given(
    seed=seeds(),
    entities=st.integers(3, 5),
    share=st.sampled_from([0.0, 0.5, 1.0]),
    count=st.integers(0, 2),
    tile=st.integers(1, 6),
    frozen=st.sets(st.integers(0, 2), max_size=2),
)
@settings(max_examples=25)
def test_attention_is_that_of_plain_autograd(
    seed: int,
    entities: int,
    share: float,
    count: int,
    tile: int,
    frozen: set[int],
) -> None:
    """Values and gradients, with tiles of any size and whatever learns."""
    (query, weight, bias), rows, index = attended(seed, entities, share)
    learning = [query, weight, bias]
    for place in frozen:
        learning[place].requires_grad_(False)
    learns = [parameter for parameter in learning if parameter.requires_grad]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tiles, "TILE", tile)
        found, slow = (
            tuple(f(query, rows, index, weight, bias, count))
            for f in (attend, slow_attend)
        )
        gradients = [gradients_of(one, learns) for one in (found, slow)]
    torch.testing.assert_close(found, slow)
    assert not found[1].requires_grad
    torch.testing.assert_close(*gradients)


@pytest.fixture(scope="module")
def _a_compiler() -> None:
    try:
        compiler()
    except UserError as error:
        pytest.skip(str(error))


@pytest.mark.usefixtures("_a_compiler")
@given(
    seed=seeds(),
    entities=st.integers(3, 9),
    share=st.sampled_from([0.0, 0.5, 1.0]),
    count=st.integers(0, 3),
    threads=st.integers(1, 3),
    frozen=st.booleans(),
)
@settings(max_examples=40)
def test_compiled_attention_is_that_of_pytorch(
    seed: int, entities: int, share: float, count: int, threads: int, frozen: bool
) -> None:
    """Values and gradients in single precision, with more threads than some have samples."""
    (query, weight, bias), rows, index = attended(seed, entities, share, torch.float32)
    learns = [query] if frozen else [query, weight, bias]
    if frozen:
        weight.requires_grad_(False)
        bias.requires_grad_(False)
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        found, slow = (
            tuple(attend(query, rows, index, weight, bias, count, kernels))
            for kernels in ("native", "torch")
        )
        gradients = [gradients_of(one, learns) for one in (found, slow)]
    finally:
        torch.set_num_threads(before)
    torch.testing.assert_close(found, slow)
    torch.testing.assert_close(*gradients, rtol=1e-3, atol=1e-4)


@pytest.mark.usefixtures("_a_compiler")
@pytest.mark.parametrize(("width", "features"), [(48, 16), (20, 5)])
def test_compiled_attention_of_other_widths(width: int, features: int) -> None:
    """Whole vectors and padded ones; more samples than sums keep in single precision."""
    random = torch.Generator().manual_seed(0)
    rows = with_nobody(torch.randn(50, features, generator=random))
    index = torch.randint(0, 51, (600, 12), generator=random)
    learning = [
        torch.randn(shape, generator=random) / math.sqrt(shape[-1])
        for shape in ((600, width), (features, width), (width,))
    ]
    results = []
    cases: list[tuple[Kernels, torch.dtype]] = [
        ("native", torch.float32),
        ("torch", torch.float64),
    ]
    for kernels, dtype in cases:
        own = [x.detach().to(dtype).requires_grad_() for x in learning]
        found = attend(own[0], rows.to(dtype), index, own[1], own[2], 3, kernels)
        results.append([x.double() for x in (*found[:3], *gradients_of(found, own))])
    torch.testing.assert_close(*results, rtol=1e-4, atol=1e-3)


@given(seed=seeds(), share=st.sampled_from([0.0, 0.5, 1.0]))
@settings(max_examples=4)
def test_attention_has_the_right_gradient(seed: int, share: float) -> None:
    learning, rows, index = attended(seed, 4, share)
    assert torch.autograd.gradcheck(
        lambda query, weight, bias: attend(query, rows, index, weight, bias, 2)[::2],
        learning,
    )


def test_under_mixed_precision_attention_keeps_the_numbers_of_the_parameters() -> None:
    learning, rows, index = attended(0, 5, 0.7, torch.float32)
    query = learning[0].bfloat16().float()
    _, weight, bias = learning
    results = []
    for mixed in (False, True):
        with torch.autocast("cpu", torch.bfloat16, enabled=mixed):
            found = attend(query, rows, index, weight, bias, 2)
            results.append((tuple(found), gradients_of(found, learning)))
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
    """Step by step, and found at once for whole episodes."""
    random = torch.Generator().manual_seed(seed)
    nobody = 1000
    steps = 4
    shape = (steps, 2, agents, entities)
    index = torch.randint(0, nobody, shape, generator=random)
    share = torch.rand(steps, 1, 1, 1, generator=random)
    seen = torch.where(torch.rand(shape, generator=random) < share, index, nobody)
    histories = Histories.of(seen, nobody)
    past = torch.full((2, agents, slots), nobody)
    queues: dict[tuple[int, int], list[int]] = {
        (g, i): [] for g in range(2) for i in range(agents)
    }
    samples = torch.arange(2 * agents).view(2, agents)
    for step in range(steps + 1):
        assert torch.equal(histories.at(samples + step * 2 * agents, slots), past)
        for (game, agent), queue in queues.items():
            expected = queue + [nobody] * (slots - len(queue))
            assert past[game, agent].tolist() == expected
        if step == steps:
            return
        past = remember(past, seen[step], nobody)
        for (game, agent), queue in queues.items():
            new = [j for j in seen[step, game, agent].tolist() if j != nobody]
            queue[:] = (new + queue)[:slots]


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
        shared(rows)
        assert torch.equal(shared.mean, before[0])
        assert torch.equal(shared.variance, before[1])
        times = mask.float()
        whole.update(whole.moments(rows.flatten(0, 1), times.flatten()), SingleRank())
        first, second, other = (
            shared.moments(rows[part].flatten(0, 1), times[part].flatten())
            for part in ([0], [1, 2], [3])
        )
        shared.update(first + second, TwoRanks(other))
        torch.testing.assert_close(
            dict(shared.named_buffers()), dict(whole.named_buffers())
        )
        assert bool(whole.one_hot[0]) == (batch < 2 or not mask.any())
    assert int(whole.count) <= 60
    assert whole(rows).abs().max() <= 10


def test_a_row_that_is_seen_several_times_counts_as_often() -> None:
    random = torch.Generator().manual_seed(0)
    rows = torch.randn(6, FEATURES, generator=random) * 3 + 1
    times = torch.tensor([0, 1, 2, 0, 5, 1])
    norm = RunningNorm(FEATURES)
    copies = rows.repeat_interleave(times, 0)
    found = norm.moments(rows, times.float())
    torch.testing.assert_close(found, norm.moments(copies, torch.ones(len(copies))))
