"""Conc4Hist's network against recordings of the authors' own."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from marl_core.hosts.conc4hist.block import Entities, Oneself
from marl_core.hosts.conc4hist.choice import most_attended
from marl_core.hosts.conc4hist.history import remember
from marl_core.hosts.conc4hist.running_norm import RunningNorm
from marl_core.hosts.conc4hist.surroundings import Surroundings
from marl_core.learning import SingleRank
from tests.support.conc4hist_golden import EXCERPT, Golden, golden_file

FILES = ["excerpt", "conc4hist_forward_randw.npz", "conc4hist_forward.npz"]


def recorded(name: str) -> Golden:
    return Golden(EXCERPT if name == "excerpt" else golden_file(name))


@pytest.mark.parametrize("name", FILES)
def test_logits_and_values(name: str) -> None:
    golden = recorded(name)
    host = golden.host()
    observation, memory = golden.seen()
    with torch.no_grad():
        scores, _ = host.scores(observation, memory)
        concentrated, motive = host.network(
            Surroundings.of(observation, memory).normalised(host.norm, host.dtype)
        )
        value = host.critic(motive)
        logits = host.head(host.trunk(concentrated))
    # The trained network's attention scores reach 4,000: there single precision leaves some 1e-3 of
    # a weight.
    trained = name == "conc4hist_forward.npz"
    close: dict[str, Any] = (
        {"rtol": 1e-4, "atol": 1e-4} if trained else {"rtol": 1e-5, "atol": 1e-6}
    )
    torch.testing.assert_close(logits, golden["logits"], **close)
    alive = observation.alive
    torch.testing.assert_close(scores[alive], golden["logits"][alive], **close)
    torch.testing.assert_close(value, golden["value"], **close)
    assert concentrated is not None
    assert motive is not None
    torch.testing.assert_close(
        concentrated,
        torch.cat([golden["vf_C"], golden["vh_C"]], -1),
        rtol=1e-4,
        atol=1e-4,
    )
    loose = {"rtol": 1e-3, "atol": 5e-3} if trained else close
    torch.testing.assert_close(
        motive, torch.cat([golden["vf_M"], golden["vh_M"]], -1), **loose
    )


@pytest.mark.parametrize("name", FILES)
def test_attention_and_selection(name: str) -> None:
    golden = recorded(name)
    host = golden.host()
    observation, memory = golden.seen()
    seen = Surroundings.of(observation, memory)
    around = seen.normalised(host.norm, host.dtype)
    now = around.now.flatten(0, 1)
    past = around.past.flatten(0, 1)
    network = host.network
    first = network.encoder.first
    second = network.encoder.second
    own = around.rows[now[:, 0]]
    me = Oneself(second(first(own)), own)
    for block, index, kind in (
        (network.now, now[:, 1:], "f"),
        (network.past, past, "h"),
    ):
        entities = Entities(around.rows, index)
        weights = block.attend(me, entities, network.encoder, choose=False).weights
        expected = golden[f"score_{kind}"].flatten(0, 1)
        tolerance = 1e-5 if name != "conc4hist_forward.npz" else 2e-3
        torch.testing.assert_close(weights, expected, rtol=tolerance, atol=tolerance)
        assert torch.equal(
            most_attended(weights, block.count),
            golden[f"sel_{kind}"].flatten(0, 1).long(),
        )


def test_history_pool() -> None:
    golden = Golden(golden_file("conc4hist_forward.npz"))
    seen = golden["obs_raw"]
    past = golden["hist_pool_before"]
    expected = golden["hist_pool_after"]

    def there(rows: Tensor) -> Tensor:
        return (rows != 0).any(-1)

    rows = torch.cat([past, seen[..., 1:, :]], -2)
    slots = past.shape[-2]
    nobody = rows.shape[-2]
    index = torch.where(there(rows), torch.arange(nobody), nobody)
    queue = remember(index[..., :slots], index[..., slots:], nobody)
    rows = torch.cat([rows, torch.zeros_like(rows[..., :1, :])], -2)
    found = rows.gather(-2, queue.unsqueeze(-1).expand(*queue.shape, rows.shape[-1]))
    assert torch.equal(found, expected)
    assert torch.equal(queue != nobody, there(expected))
    assert not torch.equal(past, expected)


def test_running_normalisation() -> None:
    golden = Golden(golden_file("running_norm.npz"))
    norm = RunningNorm(6)
    for batch in range(5):
        rows = golden[f"x{batch}"]
        mask = ~rows.isnan().any(-1)
        seen = rows.nan_to_num().flatten(0, -2)
        norm.update(norm.moments(seen, mask.flatten().float()), SingleRank())
        exact: dict[str, Any] = {"rtol": 1e-6, "atol": 1e-7}
        torch.testing.assert_close(norm.mean, golden[f"mean{batch}"], **exact)
        torch.testing.assert_close(norm.variance, golden[f"var{batch}"], **exact)
        assert int(norm.count) == int(golden[f"n{batch}"])
        assert torch.equal(norm.one_hot, golden[f"filter{batch}"])
        torch.testing.assert_close(
            norm(rows)[mask], golden[f"y{batch}"][mask], rtol=2e-6, atol=1e-6
        )
