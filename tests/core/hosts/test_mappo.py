"""MAPPO and IPPO: their unrolled networks, their targets, and what memory is for."""

from __future__ import annotations

from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from marl_core.collection.collector import Collector
from marl_core.exploration.coupled import CoupledExploration
from marl_core.exploration.entropy_sampling import EntropySampling
from marl_core.hosts.bodies import Recurrent
from marl_core.hosts.mappo.config import MAPPOConfig
from marl_core.hosts.mappo.mappo import MAPPO
from marl_core.hosts.mappo.value_scale import ValueScale
from marl_core.learning import SingleRank
from marl_core.runs.folder import RunFolder
from marl_core.training.learner import Learner
from marl_core.types import EnvironmentSpec, Observation, Progress
from tests.support.numbered_games import Numbered
from tests.support.resuming import interrupted
from tests.support.runs import differences, go_on, outcome, run_data, start

WIDTH = 5


def unit(sequence: int | None = None) -> Recurrent:
    made = Recurrent(WIDTH, sequence, torch.Generator().manual_seed(0))
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.add_(0.3 * torch.randn(parameter.shape, generator=generator))
    return made


def by_hand(recurrent: Recurrent, inputs: Tensor, sequence: int) -> Tensor:
    """Step by step with torch's cell; the gradient is cut after every ``sequence`` steps."""
    cell = nn.GRUCell(WIDTH, WIDTH)
    names = {name: getattr(recurrent.unit, f"{name}_l0") for name in cell.state_dict()}
    hidden = torch.zeros_like(inputs[0])
    found = []
    for step, now in enumerate(inputs):
        if step and step % sequence == 0:
            hidden = hidden.detach()
        flat = torch.func.functional_call(
            cell, names, (now.flatten(0, 1), hidden.flatten(0, 1))
        )
        hidden = flat.view_as(now)
        found.append(hidden)
    return torch.stack(found)


@settings(max_examples=25, deadline=None)
@given(
    steps=st.integers(1, 7),
    games=st.integers(1, 3),
    agents=st.integers(1, 3),
    sequence=st.integers(1, 8),
    seed=st.integers(0, 10_000),
)
def test_unrolling_is_step_after_step(
    steps: int, games: int, agents: int, sequence: int, seed: int
) -> None:
    """Values and gradients, also where the gradient is cut."""
    generator = torch.Generator().manual_seed(seed)
    inputs = torch.randn(steps, games, agents, WIDTH, generator=generator)
    weights = torch.randn(steps, games, agents, WIDTH, generator=generator)
    recurrent = unit(sequence)
    gradients: list[tuple[Tensor, ...]] = []
    for outputs in (
        recurrent.unroll(inputs),
        by_hand(recurrent, inputs, sequence),
    ):
        loss = (outputs * weights).sum()
        found = torch.autograd.grad(loss, list(recurrent.parameters()))
        gradients.append((outputs.detach(), *found))
    for ours, expected in zip(*gradients, strict=True):
        torch.testing.assert_close(ours, expected, rtol=1e-4, atol=1e-5)


def test_acting_and_learning_remember_alike() -> None:
    recurrent = unit()
    inputs = torch.randn(4, 2, 3, WIDTH, generator=torch.Generator().manual_seed(2))
    hidden = torch.zeros(2, 3, WIDTH)
    for now, expected in zip(inputs, recurrent.unroll(inputs), strict=True):
        hidden = recurrent.step(now, hidden)
        torch.testing.assert_close(hidden, expected, rtol=1e-5, atol=1e-6)


def test_the_global_generator_is_left_alone() -> None:
    before = torch.get_rng_state()
    spec = EnvironmentSpec(agents=2, actions=3, max_steps=4, features=5)
    made = [
        MAPPO(MAPPOConfig(body="gru"), spec, torch.Generator().manual_seed(3))
        for _ in range(2)
    ]
    assert torch.equal(torch.get_rng_state(), before)
    pairs = zip(*(host.state_dict().values() for host in made), strict=True)
    assert all(torch.equal(one, other) for one, other in pairs)


@given(
    batches=st.lists(
        st.lists(st.floats(-100, 100), min_size=1, max_size=6), min_size=1, max_size=5
    )
)
def test_values_are_normalised_by_all_returns_so_far(
    batches: list[list[float]],
) -> None:
    scale = ValueScale(enabled=True)
    for batch in batches:
        returns = torch.tensor([*batch, 1e6], dtype=torch.float64)
        counts = torch.tensor([1.0] * len(batch) + [0.0])
        scale.update(returns, counts, SingleRank())
    everything = torch.tensor([*chain(*batches)], dtype=torch.float64)
    deviation = everything.std(correction=0).clamp(min=1e-4)
    expected = (everything - everything.mean()) / deviation
    ours = scale.normalised(everything)
    if everything.std(correction=0) > 1e-3:
        torch.testing.assert_close(ours, expected, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(scale.restored(ours), everything, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("state", [None, 4])
def test_a_central_critic_sees_what_others_see(state: int | None) -> None:
    """The state, where there is one, else what all agents see; its own policy does not."""
    spec = EnvironmentSpec(
        agents=3, actions=2, max_steps=4, features=2, state_features=state
    )
    host = MAPPO(MAPPOConfig(), spec, torch.Generator().manual_seed(0))
    features = torch.randn(1, 3, 2, generator=torch.Generator().manual_seed(1))
    seen = Observation(features, state=None if state is None else torch.ones(1, state))
    if state is None:
        other = features.clone()
        other[:, 2] += 1
        changed = replace(seen, features=other)
    else:
        changed = replace(seen, state=torch.zeros(1, state))
    critic = host.critic
    values = [
        critic.value(critic.body.step(critic.encoded(one), None))
        for one in (seen, changed)
    ]
    assert not torch.isclose(values[0][0, 0], values[1][0, 0])
    logits = [host.scores(one, {})[0] for one in (seen, changed)]
    torch.testing.assert_close(logits[0][0, 0], logits[1][0, 0])


def mappo(data: dict[str, Any], **settings: Any) -> dict[str, Any]:
    return {**data, "host": {"name": "mappo", "hidden": 8, **settings}}


@pytest.mark.parametrize("body", ["mlp", "gru"])
def test_a_critic_judges_what_follows_each_games_own_end(body: Any) -> None:
    """Games of different lengths: the last value is what the critic would say one step later."""
    environment = Numbered(games=12, device="cpu", generator=_generator(0))
    spec = replace(environment.spec, state_features=None)
    collector = Collector(environment, _generator(1))
    host = MAPPO(MAPPOConfig(body=body, hidden=8), spec, _generator(2))
    team = CoupledExploration(EntropySampling())
    rollout = collector.collect(host, team, Progress())
    lengths = rollout.valid.sum(0).tolist()
    assert len(set(lengths)) > 1
    _, last = host.critic.judge(rollout)
    for game, length in enumerate(lengths):
        seen = rollout.observations.map(lambda x: x[:length, game : game + 1])  # noqa: B023
        after = rollout.last_observation.map(lambda x: x[None, game : game + 1])  # noqa: B023
        longer = Observation.concatenate([seen, after])
        expected = host.critic.values(longer)[-1, 0]
        torch.testing.assert_close(last[game], expected, rtol=1e-4, atol=1e-5)


def _generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize(
    "modes",
    [
        {"body": "gru"},
        {"body": "mlp"},
        {"body": "mlp", "minibatches_of": "steps"},
        {"body": "gru", "parameters": [0, 0, 1, 1, 2], "value_clip": 0.2},
        {"body": "mlp", "parameters": "per_agent", "encoder_widths": [7, 6]},
    ],
    ids=["gru", "mlp", "steps", "groups", "per_agent"],
)
def test_an_interrupted_run_ends_as_if_it_had_never_been(
    modes: dict[str, Any], tmp_path: Path
) -> None:
    settings = {"minibatches": 3, "epochs": 2, **modes}
    data = mappo(run_data("pr_fast", (3, 3), "ppo_ma"), **settings)
    whole = start(tmp_path / "whole", data)
    go_on(whole)
    crashes = [(Learner, "training_step", 2, True), (Learner, "training_step", 5, True)]
    parts = interrupted(tmp_path / "parts", data, *crashes)
    assert differences(outcome(parts), outcome(whole)) == []
    weights = outcome(whole)["checkpoint"]["state_dict"]
    assert weights["host.head.layers.0.weight"].dim() == 3
    assert float(weights["host.scale.count"]) > 0


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["gru", "mlp"])
def test_memory_is_learnt_where_it_is_needed(kind: str, tmp_path: Path) -> None:
    """Chance is 0.5; who cannot remember stays there."""
    data = {
        "seed": 0,
        "environment": {"name": "tests.support.recall:Recall"},
        "host": {"name": "mappo", "hidden": 16, "body": kind, "learning_rate": 3e-3},
        "exploration": {"name": "entropy_sampling", "coefficient": 0.01},
        "stages": [{"episodes": 64 * 60}],
        "training": {
            "episodes_per_update": 64,
            "evaluation_episodes": 256,
            "devices": 1,
            "tensorboard": False,
        },
    }
    folder: RunFolder = start(tmp_path / kind, data)
    go_on(folder)
    greedy = outcome(folder)["summary"]["return"]["greedy"]["mean"]
    if kind == "gru":
        assert greedy > 0.95
    else:
        assert 0.35 < greedy < 0.65
