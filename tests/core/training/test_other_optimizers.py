"""Every optimiser on flat vectors is torch's own on the parameters, and goes on after a stop."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from pydantic import TypeAdapter, ValidationError
from torch import nn

from marl_core.config.optimizer import AnyOptimizer
from marl_core.config.run import RunConfig
from marl_core.training.learner import Learner
from marl_core.training.optimizer import flat_optimizer
from marl_core.training.saved_moments import load_moments
from tests.core.training.test_optimizer import LIMIT, Networks, batches, descend
from tests.support.resuming import interrupted
from tests.support.runs import differences, go_on, outcome, run_data, start

CHOICES: dict[str, tuple[dict[str, Any], Any]] = {
    "adam": (
        {"name": "adam", "beta1": 0.8, "beta2": 0.9, "eps": 1e-3, "weight_decay": 0.1},
        torch.optim.Adam,
    ),
    "adamw": ({"name": "adamw", "weight_decay": 0.1}, torch.optim.AdamW),
    "rmsprop": (
        {"name": "rmsprop", "alpha": 0.9, "momentum": 0.5, "eps": 1e-3},
        torch.optim.RMSprop,
    ),
    "rmsprop without momentum": ({"name": "rmsprop"}, torch.optim.RMSprop),
    "sgd": (
        {"name": "sgd", "momentum": 0.9, "nesterov": True, "weight_decay": 0.1},
        torch.optim.SGD,
    ),
    "sgd without momentum": ({"name": "sgd"}, torch.optim.SGD),
}


def _config(name: str) -> Any:
    return TypeAdapter(AnyOptimizer).validate_python(CHOICES[name][0])


@pytest.mark.parametrize("name", CHOICES)
def test_equals_torchs_on_the_parameters_with_clipped_norms(name: str) -> None:
    settings, theirs_class = CHOICES[name]
    ours, theirs = Networks(), Networks()
    optimizer = flat_optimizer(_config(name), ours.groups())
    clipped = [*theirs.clipped, theirs.unused]
    groups = [
        {"params": clipped, "lr": 1e-2},
        {"params": list(theirs.free), "lr": 1e-1},
    ]
    betas = ("beta1", "beta2")
    keywords = {
        key: value for key, value in settings.items() if key not in ("name", *betas)
    }
    if "beta1" in settings:
        keywords["betas"] = tuple(settings[name] for name in betas)
    reference = theirs_class(groups, **keywords)
    for inputs in batches(8):
        descend(ours, optimizer, inputs / 10)
        reference.zero_grad()
        theirs.loss(inputs / 10).backward()
        theirs.unused.grad = torch.zeros_like(theirs.unused)
        nn.utils.clip_grad_norm_(clipped, LIMIT)
        reference.step()
    assert not torch.equal(ours.clipped[0], Networks().clipped[0])
    for mine, other in zip(ours.parameters(), theirs.parameters(), strict=True):
        assert torch.allclose(mine, other, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("name", CHOICES)
def test_moments_are_taken_up(name: str) -> None:
    whole, first, second = Networks(), Networks(), Networks()
    unbroken = flat_optimizer(_config(name), whole.groups())
    stopped = flat_optimizer(_config(name), first.groups())
    inputs = batches(6)
    for batch in inputs[:3]:
        descend(first, stopped, batch)
    second.load_state_dict(first.state_dict())
    resumed = flat_optimizer(_config(name), second.groups())
    load_moments([resumed], [stopped.state_dict()])
    for batch in inputs:
        descend(whole, unbroken, batch)
    for batch in inputs[3:]:
        descend(second, resumed, batch)
    for one, other in zip(whole.parameters(), second.parameters(), strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize("name", CHOICES)
def test_moments_of_another_optimiser_are_refused(name: str) -> None:
    networks = Networks()
    optimizer = flat_optimizer(_config(name), networks.groups())
    other = "sgd" if name != "sgd" else "adam"
    stopped = flat_optimizer(_config(other), Networks().groups())
    descend(Networks(), stopped, batches(1)[0])
    with pytest.raises(ValueError, match=f"^{optimizer.label}"):
        load_moments([optimizer], [stopped.state_dict()])


def test_momentum_that_is_not_there_is_no_use_to_nesterov() -> None:
    data = {**run_data(), "optimizer": {"name": "sgd", "nesterov": True}}
    with pytest.raises(ValidationError, match="nesterov looks ahead by the momentum"):
        RunConfig.model_validate(data)


def test_a_setting_of_another_optimiser_is_refused() -> None:
    data = {**run_data(), "optimizer": {"name": "sgd", "alpha": 0.9}}
    with pytest.raises(ValidationError, match="alpha"):
        RunConfig.model_validate(data)


def test_a_run_that_was_interrupted_is_the_same(tmp_path: Path) -> None:
    data = {**run_data("pr"), "optimizer": {"name": "rmsprop", "momentum": 0.5}}
    whole = start(tmp_path / "whole", data)
    go_on(whole)
    point = (Learner, "training_step", 5, True)
    broken = interrupted(tmp_path / "broken", data, point)
    assert differences(outcome(broken), outcome(whole)) == []
    plain = start(tmp_path / "plain", run_data("pr"))
    go_on(plain)
    assert differences(outcome(plain), outcome(whole)) != []
