"""Conc4Hist's network against recordings of the authors' own."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from marl_core.hosts.conc4hist.block import Oneself
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
        logits, _ = host.scores(observation, memory)
        concentrated, motive = host.network(
            host.normalised(Surroundings.of(observation, memory))
        )
        value = host.critic(motive)
    # The trained network's attention scores reach 4,000: there single precision leaves some 1e-3 of
    # a weight.
    trained = name == "conc4hist_forward.npz"
    close: dict[str, Any] = (
        {"rtol": 1e-4, "atol": 1e-4} if trained else {"rtol": 1e-5, "atol": 1e-6}
    )
    torch.testing.assert_close(logits, golden["logits"], **close)
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
    around = host.normalised(Surroundings.of(observation, memory)).map(
        lambda x: x.flatten(0, 1)
    )
    network = host.network
    first = network.encoder.first
    second = network.encoder.second
    me = Oneself(second(first(around.now[:, 0])), around.now[:, 0])
    for block, rows, mask, kind in (
        (network.now, around.now[:, 1:], around.now_mask[:, 1:], "f"),
        (network.past, around.past, around.past_mask, "h"),
    ):
        weights = block.attend(me, rows, mask, network.encoder).weights
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

    found, mask = remember(past, there(past), seen[..., 1:, :], there(seen)[..., 1:])
    assert torch.equal(found, expected)
    assert torch.equal(mask, there(expected))
    assert not torch.equal(past, expected)


def test_running_normalisation() -> None:
    golden = Golden(golden_file("running_norm.npz"))
    norm = RunningNorm(6)
    for batch in range(5):
        rows = golden[f"x{batch}"]
        mask = ~rows.isnan().any(-1)
        norm.update(norm.moments(rows, mask), SingleRank())
        exact: dict[str, Any] = {"rtol": 1e-6, "atol": 1e-7}
        torch.testing.assert_close(norm.mean, golden[f"mean{batch}"], **exact)
        torch.testing.assert_close(norm.variance, golden[f"var{batch}"], **exact)
        assert int(norm.count) == int(golden[f"n{batch}"])
        assert torch.equal(norm.one_hot, golden[f"filter{batch}"])
        torch.testing.assert_close(
            norm(rows, mask)[mask], golden[f"y{batch}"][mask], rtol=2e-6, atol=1e-6
        )
