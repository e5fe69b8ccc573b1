"""Conc4Hist: its loss against a slow and readable one, its memory, what learns, and whole runs."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from operator import itemgetter
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from marl_core.collection.collector import Collector
from marl_core.errors import UserError
from marl_core.exploration.coupled import CoupledExploration
from marl_core.exploration.entropy_sampling import EntropySampling
from marl_core.hosts.conc4hist.acting_samples import ActingSamples
from marl_core.hosts.conc4hist.conc4hist import Conc4Hist
from marl_core.hosts.conc4hist.config import Conc4HistConfig
from marl_core.hosts.conc4hist.surroundings import Surroundings
from marl_core.learning import LearningContext
from marl_core.returns import generalised_advantages, rewards_of_the_living
from marl_core.testing import HOST_CHECKS, HostCase
from marl_core.testing.practice import PRACTICE, Practice, PracticeConfig
from marl_core.testing.strategies import seeds
from marl_core.training.learner import Learner
from marl_core.types import EnvironmentSpec, Memory, Observation, Progress, Rollout
from tests.core.hosts.test_ppo_ma import readable_objective
from tests.support.resuming import interrupted
from tests.support.runs import differences, go_on, outcome, run_data, start

ENTROPY = 0.05
POLICY = EntropySampling(coefficient=ENTROPY)
EXPLORATION = CoupledExploration(POLICY)


def config(**settings: Any) -> Conc4HistConfig:
    return Conc4HistConfig(name="conc4hist", hidden=6, **settings)


@pytest.mark.parametrize("check", HOST_CHECKS)
def test_keeps_the_promises_of_a_host(check: str) -> None:
    HOST_CHECKS[check](
        HostCase(partial(Conc4Hist, config(epochs=2)), PRACTICE, EXPLORATION)
    )


def played(
    seed: int, *, own_heads: bool = False, games: int = 6, **settings: Any
) -> tuple[Conc4Hist, Rollout]:
    """A host in double precision, no two agents alike, and a rollout with deaths of agents."""
    random = torch.Generator().manual_seed(seed)
    environment = Practice(
        PracticeConfig(max_steps=8), games=games, device="cpu", generator=random
    )
    host = Conc4Hist(
        config(**settings), environment.spec, torch.Generator().manual_seed(seed)
    ).double()
    if own_heads:
        host.give_each_agent_its_own_head()
    with torch.no_grad():
        for parameter in host.parameters():
            parameter.add_(
                0.3
                * torch.randn(parameter.shape, generator=random, dtype=torch.float64)
            )
    return host, Collector(environment, random).collect(host, EXPLORATION, Progress())


def gradients(host: Conc4Hist, total: Tensor) -> dict[str, Tensor]:
    names, learning = zip(
        *((n, p) for n, p in host.named_parameters() if p.requires_grad), strict=True
    )
    found = torch.autograd.grad(
        total, learning, allow_unused=True, materialize_grads=True, retain_graph=True
    )
    return dict(zip(names, found, strict=True))


def slow_rewards(rollout: Rollout, factor: float) -> Tensor:
    moved = torch.zeros_like(rollout.reward)
    steps, games, agents = rollout.actions.shape
    for game in range(games):
        for agent in range(agents):
            acted = [t for t in range(steps) if rollout.acting[t, game, agent]]
            for t in range(int(rollout.valid[:, game].sum())):
                before = [s for s in acted if s <= t]
                if before:
                    moved[before[-1], game, agent] += (
                        factor ** (t - before[-1]) * rollout.reward[t, game, agent]
                    )
    return moved


def slow_values(host: Conc4Hist, seen: Observation, memory: Memory) -> Tensor:
    around = Surroundings.of(seen, memory).normalised(host.norm, host.dtype)
    return host.critic(host.network(around)[1]).squeeze(-1)


def slow_loss(host: Conc4Hist, rollout: Rollout) -> Tensor:
    """The first epoch's loss: all agents' scores and values step by step, then those who act."""
    memory = host.initial_memory(rollout.actions.shape[1])
    last_memory = dict(memory)
    log_policies = []
    values = []
    for t in range(rollout.actions.shape[0]):
        seen = rollout.observations.map(itemgetter(t))
        scores, after = host.scores(seen, memory)
        log_policies.append(POLICY.log_policy(scores, seen.legal_actions(), Progress()))
        values.append(slow_values(host, seen, memory))
        memory = after
        on = rollout.valid[t]
        last_memory = {
            name: torch.where(on.view(-1, *[1] * (x.dim() - 1)), x, last_memory[name])
            for name, x in memory.items()
        }
    last = rollout.last_observation
    last_values = slow_values(host, last, last_memory)
    assert last.alive is not None
    value = torch.stack(values)
    acting = rollout.acting
    advantages = generalised_advantages(
        slow_rewards(rollout, host.config.reward_forwarding).double(),
        (value * acting).detach(),
        (last_values * last.alive).detach(),
        rollout.terminated,
        rollout.valid,
        0.99,
        0.95,
    )[acting]
    normalised = (advantages - advantages.mean()) / (
        advantages.std(correction=0) + 1e-8
    )
    log_policy = torch.stack(log_policies)[acting].T
    row = torch.arange(log_policy.shape[1])
    policy_loss, _ = readable_objective(
        log_policy, log_policy.detach(), row, rollout.actions[acting], normalised
    )
    return (
        policy_loss
        + 0.5 * (value[acting] - (advantages + value[acting].detach())).square().mean()
    )


@given(seed=seeds(), own_heads=st.booleans(), microbatch=st.sampled_from([1, 17, 1000]))
@settings(max_examples=6)
def test_the_loss_is_the_slow_one_in_microbatches_of_any_size(
    seed: int, own_heads: bool, microbatch: int
) -> None:
    host, rollout = played(seed, own_heads=own_heads, microbatch=microbatch)
    total = next(host.losses(rollout, POLICY, LearningContext())).total
    slowly = slow_loss(host, rollout)  # after it, for the statistics are new
    torch.testing.assert_close(total, slowly)
    torch.testing.assert_close(
        gradients(host, total), gradients(host, slowly), rtol=1e-5, atol=1e-8
    )


def test_all_epochs_are_the_same_whatever_the_microbatches() -> None:
    results = []
    for microbatch in (5, 10_000):
        host, rollout = played(1, microbatch=microbatch, epochs=4, min_inside_clip=0.0)
        history = []
        for loss in host.losses(rollout, POLICY, LearningContext()):
            found = gradients(host, loss.total)
            history.append(float(loss.total.detach()))
            with torch.no_grad():
                for name, gradient in found.items():
                    host.get_parameter(name).sub_(gradient, alpha=0.05)
        assert len(history) == 4
        results.append((history, host.state_dict()))
    torch.testing.assert_close(results[0], results[1], rtol=1e-6, atol=1e-9)


@given(seed=seeds(), own_heads=st.booleans(), minibatches=st.sampled_from([2, 5, 50]))
@settings(max_examples=6)
def test_minibatches_are_parts_of_the_batch(
    seed: int, own_heads: bool, minibatches: int
) -> None:
    """Without steps between them, the mean of their gradients is the gradient of the batch.

    50 minibatches are more than the batch has rows.
    """
    batch, rollout = played(seed, own_heads=own_heads, epochs=1, games=2)
    assert rollout.acting.sum() < 50
    host, _ = played(
        seed,
        own_heads=own_heads,
        epochs=1,
        games=2,
        minibatches=minibatches,
        min_inside_clip=0.0,
    )
    expected = gradients(
        batch, next(batch.losses(rollout, POLICY, LearningContext())).total
    )
    found = [
        gradients(host, loss.total)
        for loss in host.losses(rollout, POLICY, LearningContext())
    ]
    assert len(found) == minibatches
    mean = {
        name: torch.stack([one[name] for one in found]).mean(0) for name in expected
    }
    torch.testing.assert_close(mean, expected, rtol=1e-5, atol=1e-8)
    assert any(
        (found[0][name] - expected[name]).abs().max() > 1e-6 for name in expected
    )


def test_epochs_over_minibatches_end_early() -> None:
    """They end once few samples are inside the clip range: here after a first step far away."""
    host, rollout = played(1, minibatches=3, epochs=4, min_inside_clip=0.7)
    steps = 0
    for loss in host.losses(rollout, POLICY, LearningContext()):
        steps += 1
        # The share is of a third of all samples, and a minibatch may have one more or less than
        # that.
        assert steps > 1 or float(loss.metrics["inside_clip"]) == pytest.approx(
            1.0, abs=0.05
        )
        with torch.no_grad():
            host.get_parameter("head.layers.1.bias").add_(
                torch.tensor([3.0, -3.0, 1.0, 0.0], dtype=torch.float64)
            )
    assert steps == 2


def test_the_dead_and_the_padding_teach_nothing() -> None:
    """Not the actions of the dead, nor actions, rewards and observations after a game's end."""
    host, rollout = played(3, games=20)
    other, _ = played(3, games=20)
    idle = ~rollout.acting
    padding = ~rollout.valid
    assert (idle & rollout.valid.unsqueeze(-1)).sum() > 5
    assert padding.sum() > 5
    assert rollout.observations.entities is not None
    noise = padding.view(*padding.shape, 1, 1, 1) * torch.randn(
        rollout.observations.entities.shape
    )
    spoilt = replace(
        rollout,
        actions=torch.where(idle, (rollout.actions + 1) % 4, rollout.actions),
        reward=rollout.reward + 9.0 * padding.unsqueeze(-1),
        observations=replace(
            rollout.observations, entities=rollout.observations.entities + noise
        ),
    )
    one, two = (
        next(h.losses(r, POLICY, LearningContext())).total
        for h, r in ((host, rollout), (other, spoilt))
    )
    torch.testing.assert_close(
        gradients(host, one), gradients(other, two), rtol=0, atol=0
    )
    torch.testing.assert_close(
        dict(host.named_buffers()), dict(other.named_buffers()), rtol=0, atol=0
    )


@pytest.mark.parametrize("games", [1, 3])
def test_a_team_that_is_dead_can_act(games: int) -> None:
    practice = Practice(
        PracticeConfig(),
        games=games,
        device="cpu",
        generator=torch.Generator().manual_seed(1),
    )
    spec = practice.spec
    host = Conc4Hist(config(), spec, torch.Generator().manual_seed(0))
    nobody = torch.zeros(games, spec.agents, dtype=torch.bool)
    seen = replace(practice.reset(), alive=nobody)
    scores, _ = host.scores(seen, host.initial_memory(games))
    assert scores.shape == (games, spec.agents, spec.actions)
    assert scores.isfinite().all()


@given(seed=seeds(), factor=st.sampled_from([0.0, 0.95, 1.0]))
@settings(max_examples=8)
def test_rewards_of_the_dead_go_to_their_last_step(seed: int, factor: float) -> None:
    _, rollout = played(seed)
    rollout = replace(rollout, reward=torch.randn(rollout.reward.shape))
    found = rewards_of_the_living(rollout.reward, rollout.acting, rollout.valid, factor)
    torch.testing.assert_close(found, slow_rewards(rollout, factor))


@given(
    seed=seeds(),
    share=st.sampled_from([0.1, 0.5, 1.0]),
    samples=st.integers(1, 40),
    by_agent=st.booleans(),
)
@settings(max_examples=30)
def test_every_sample_has_one_place(
    seed: int, share: float, samples: int, by_agent: bool
) -> None:
    acting = torch.rand(5, 4, 3, generator=torch.Generator().manual_seed(seed)) < share
    places = ActingSamples.of(acting, by_agent=by_agent)
    assert (
        sorted(places.index[places.valid].tolist())
        == acting.flatten().nonzero().flatten().tolist()
    )
    if by_agent:
        assert (places.index % 3 == torch.arange(3)).all()
    split, minibatches = places.split(samples)
    assert len(minibatches) == samples
    assert [
        row for rows in minibatches for row in range(rows.start, rows.stop)
    ] == list(range(len(split.index)))
    assert len({rows.stop - rows.start for rows in minibatches}) == 1
    assert sorted(split.index[split.valid].tolist()) == sorted(
        places.index[places.valid].tolist()
    )
    if by_agent:
        assert (split.index % 3 == torch.arange(3))[split.valid].all()
    for rows in minibatches[:3]:
        parts = split.microbatches(4, rows)
        assert [row for part in parts for row in range(part.start, part.stop)] == list(
            range(rows.start, rows.stop)
        )
    microbatches = places.microbatches(samples)
    assert [
        row for part in microbatches for row in range(part.start, part.stop)
    ] == list(range(len(places.index)))
    assert all((part.stop - part.start) * 3 <= max(samples, 3) for part in microbatches)
    values = torch.randn(acting.shape)
    torch.testing.assert_close(
        places.put(places.take(values), acting.shape), values * acting
    )


def test_who_learns_how_fast() -> None:
    host, _ = played(0)
    actor, critic = host.parameter_groups()
    assert critic.learning_rate == pytest.approx(10 * actor.learning_rate)
    assert (actor.max_gradient_norm, critic.max_gradient_norm) == (0.5, None)
    names = {parameter: name for name, parameter in host.named_parameters()}
    attention = {names[p] for p in critic.parameters if names[p].startswith("network")}
    parts = ("query", "key", "value", "motive.weight", "motive.bias")
    assert attention == {
        f"network.{block}.{part}" for block in ("now", "past") for part in parts
    }
    assert len(names) == len(actor.parameters) + len(critic.parameters)


def test_own_heads_freeze_the_rest_of_the_policy() -> None:
    host, rollout = played(3, own_heads=True, games=20)
    total = next(host.losses(rollout, POLICY, LearningContext())).total
    learning = {
        name for name, gradient in gradients(host, total).items() if gradient.any()
    }
    actor, critic = host.parameter_groups()
    names = {parameter: name for name, parameter in host.named_parameters()}
    assert {names[p] for p in actor.parameters if p.requires_grad} == {
        n for n in names.values() if n[:4] == "head"
    }
    assert learning == {n for n in names.values() if n[:4] == "head"} | {
        names[p] for p in critic.parameters
    }


def test_too_few_entities_are_refused() -> None:
    for entities, message in (
        (None, "needs entity observations"),
        ((2, 3), "agents see 2 entities"),
    ):
        spec = EnvironmentSpec(
            agents=2, actions=2, max_steps=3, features=1, entities=entities
        )
        with pytest.raises(UserError, match=message):
            Conc4Hist(config(), spec, torch.Generator())


def test_in_another_environment_the_entities_may_all_be_there() -> None:
    """Without masks and deaths: the same as with masks that leave nothing out."""
    host, rollout = played(4)
    seen = rollout.observations.map(lambda x: x[0])
    memory = host.initial_memory(6)
    assert seen.entity_mask is not None
    everything = replace(
        seen, entity_mask=torch.ones_like(seen.entity_mask), alive=None
    )
    bare, with_masks = (
        host.scores(s, memory)
        for s in (replace(everything, entity_mask=None), everything)
    )
    torch.testing.assert_close(bare, with_masks, rtol=0, atol=0)


@pytest.mark.parametrize(
    "second", [pytest.param("pr", marks=pytest.mark.slow), "pr_fast_step"]
)
def test_an_interrupted_run_ends_as_if_it_had_never_been(
    second: str, tmp_path: Any
) -> None:
    """Resonance for an episode and for a step, with a shared head and with one for each agent."""
    data = run_data(second, (3, 3), "conc4hist")
    whole = start(tmp_path / "whole", data)
    go_on(whole)
    crashes = [(Learner, "training_step", 2, True), (Learner, "training_step", 5, True)]
    parts = interrupted(tmp_path / "parts", data, *crashes)
    assert differences(outcome(parts), outcome(whole)) == []
    weights = outcome(whole)["checkpoint"]["state_dict"]
    assert (weights["host.head.layers.0.weight"].dim() == 3) == (second != "pr")
    assert int(weights["host.norm.count"]) > 0
