"""Which agents share MAPPO's networks, and how far its critic is followed."""

from __future__ import annotations

from itertools import combinations
from typing import Any, Literal

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from torch import Tensor

from marl_core.base_config import validate_strictly
from marl_core.collection.collector import Collector
from marl_core.errors import UserError
from marl_core.exploration.coupled import CoupledExploration
from marl_core.exploration.entropy_sampling import EntropySampling
from marl_core.hosts.mappo.config import MAPPOConfig
from marl_core.hosts.mappo.mappo import MAPPO
from marl_core.hosts.networks import Dense, Stack
from marl_core.learning import LearningContext
from marl_core.testing.practice import Practice, PracticeConfig
from marl_core.types import EnvironmentSpec, Loss, Observation, Progress, Rollout

EXPLORATION = CoupledExploration(EntropySampling())


def host_of(agents: int, **settings: Any) -> MAPPO:
    spec = EnvironmentSpec(agents=agents, actions=3, max_steps=4, features=5)
    config = MAPPOConfig(**{"hidden": 6, **settings})
    return MAPPO(config, spec, torch.Generator().manual_seed(0))


def touched(host: MAPPO, agent: int) -> list[Tensor]:
    """Which numbers of each parameter an agent's loss depends on: its scores, and its value."""
    agents = host.initial_memory(1)["hidden"].shape[1]
    random = torch.Generator().manual_seed(1)
    features = torch.randn(2, 3, agents, 5, generator=random)
    seen = Observation(features)
    critic = host.critic
    scores = host.head(host.body.unroll(host.encoder(features)))
    values = critic.value(critic.body.unroll(critic.encoded(seen)))
    loss = scores[:, :, agent].square().sum() + values[:, :, agent].square().sum()
    gradients = torch.autograd.grad(loss, list(host.parameters()))
    return [gradient != 0 for gradient in gradients]


@settings(max_examples=12)
@given(
    st.lists(st.integers(0, 2), min_size=2, max_size=4),
    st.sampled_from(["own", "central"]),
    st.sampled_from([(), (7,)]),
)
def test_agents_of_different_groups_share_nothing(
    groups: list[int], critic: Literal["own", "central"], widths: tuple[int, ...]
) -> None:
    host = host_of(
        len(groups),
        parameters=tuple(groups),
        critic=critic,
        encoder_widths=widths,
        body="gru",
    )
    found = [touched(host, agent) for agent in range(len(groups))]
    for one, other in combinations(range(len(groups)), 2):
        pairs = zip(found[one], found[other], strict=True)
        common = [bool((mine & theirs).any()) for mine, theirs in pairs]
        assert any(common) == (groups[one] == groups[other])
    # Nobody is left without a weight, and no weight without an agent.
    everyone = [torch.stack(parts).any(0) for parts in zip(*found, strict=True)]
    assert all(bool(part.any()) for part in everyone)


@pytest.mark.parametrize(
    ("parameters", "copies"),
    [("per_agent", 3), ((7, 2, 7), 2), ("shared", None), ((4, 4, 4), None)],
)
def test_there_are_as_many_weights_as_groups(
    parameters: Any, copies: int | None
) -> None:
    host = host_of(3, parameters=parameters)
    layers = [module for module in host.modules() if isinstance(module, Dense)]
    assert len(layers) == 6
    for layer in layers:
        own = layer.weight.shape[0] if layer.weight.dim() == 3 else None
        assert own == copies


def test_one_group_of_all_is_sharing() -> None:
    mine, theirs = host_of(3, parameters=(4, 4, 4)), host_of(3)
    pairs = zip(mine.state_dict().items(), theirs.state_dict().items(), strict=True)
    assert all(a == b and torch.equal(x, y) for (a, x), (b, y) in pairs)


def test_groups_of_another_team_are_refused() -> None:
    with pytest.raises(UserError, match="groups of 2 agents, and there are 3") as found:
        host_of(3, parameters=(0, 1))
    assert found.value.location == ("host", "parameters")


@pytest.mark.parametrize("parameters", ["per_agent", (0, 1, 0)])
def test_heads_that_were_apart_are_not_joined(parameters: Any) -> None:
    host = host_of(3, parameters=parameters)
    assert not host.capabilities.head_groups
    host.give_each_agent_its_own_head()
    with pytest.raises(UserError, match="cannot share heads"):
        host.share_heads([0, 0, 0])


def test_own_heads_begin_as_those_of_the_groups() -> None:
    """And are the agents' own from then on."""
    host = host_of(3, parameters=(0, 1, 0), body="gru")
    head = head_of(host)
    before = head.weight.detach().clone()
    host.give_each_agent_its_own_head()
    assert torch.equal(head.weight, before[[0, 1, 0]])
    trained = [p.requires_grad for p in host.parameters()]
    found = [touched_head(host, agent) for agent in range(3)]
    assert not (found[0] & found[2]).any()
    assert trained.count(False) == 7  # encoder and unit


def head_of(host: MAPPO) -> Dense:
    assert isinstance(host.head, Stack)
    return next(layer for layer in host.head.layers if isinstance(layer, Dense))


def touched_head(host: MAPPO, agent: int) -> Tensor:
    head = head_of(host)
    scores = host.head(torch.ones(1, 3, 6))
    (gradient,) = torch.autograd.grad(scores[:, agent].square().sum(), head.weight)
    return gradient != 0


# How far the critic is followed


def practice() -> Practice:
    return Practice(
        PracticeConfig(),
        games=16,
        device="cpu",
        generator=torch.Generator().manual_seed(0),
    )


def played(host: MAPPO, environment: Practice, seed: int) -> Rollout:
    collector = Collector(environment, torch.Generator().manual_seed(seed))
    return collector.collect(host, EXPLORATION, Progress(updates=seed))


def losses(host: MAPPO, rollout: Rollout) -> list[Loss]:
    return list(host.losses(rollout, EXPLORATION.individual, LearningContext()))


@pytest.mark.parametrize("updates", [1, 3])
def test_a_clip_does_nothing_before_the_first_step(updates: int) -> None:
    """However much the scale of values has moved by the returns of the update."""
    environment = practice()
    hosts = [
        MAPPO(
            MAPPOConfig(hidden=6, epochs=1, value_clip=clip),
            environment.spec,
            torch.Generator().manual_seed(0),
        )
        for clip in (None, 1e-3)
    ]
    for seed in range(updates):
        rollout = played(hosts[0], environment, seed)
        free, clipped = (losses(host, rollout)[0] for host in hosts)
        torch.testing.assert_close(clipped.total, free.total, rtol=1e-5, atol=1e-6)
        free_slopes, clipped_slopes = (
            torch.autograd.grad(loss.total, list(host.parameters()))
            for loss, host in zip((free, clipped), hosts, strict=True)
        )
        torch.testing.assert_close(clipped_slopes, free_slopes, rtol=1e-3, atol=1e-6)
        assert float(free.metrics["value_loss"]) > 0


def test_a_clip_binds_once_values_have_moved() -> None:
    """What is gained by going farther than it allows does not count."""
    later: list[float] = []
    for clip in (None, 1e-3):
        environment = practice()
        config = MAPPOConfig(hidden=6, epochs=2, value_clip=clip, min_inside_clip=0.0)
        host = MAPPO(config, environment.spec, torch.Generator().manual_seed(0))
        last = host.critic.last.layers[0]
        assert isinstance(last, Dense)
        rollout = played(host, environment, 0)
        for loss in host.losses(rollout, EXPLORATION.individual, LearningContext()):
            value_loss = float(loss.metrics["value_loss"])
            with torch.no_grad():
                last.bias.add_(1.0)
        later.append(value_loss)
    assert later[1] > later[0] + 0.1


@pytest.mark.parametrize("given", ["per_agnt", 3, [0, -1], [0, "x"], []])
def test_a_slip_gets_one_line(given: Any) -> None:
    """Of the word or of the list, whichever was meant."""
    with pytest.raises(ValidationError) as caught:
        validate_strictly(MAPPOConfig, {"name": "mappo", "parameters": given})
    assert caught.value.error_count() == 1
