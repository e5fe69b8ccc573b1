"""Recurrent QMIX and VDN, and independent Q-learning, against slow and readable losses."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from operator import itemgetter
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from marl_core.collection.replay import Replay
from marl_core.hosts.qmix.config import QMIXConfig
from marl_core.hosts.qmix.networks import TeamNetworks
from marl_core.hosts.qmix.qmix import QMIX
from marl_core.observation_table import without_table
from marl_core.testing.strategies import seeds
from marl_core.types import EnvironmentSpec, Observation, Progress, Rollout
from tests.core.hosts.test_qmix import (
    Case,
    at,
    fme_case,
    fme_environment,
    practice_case,
    slow_team_value,
)
from tests.core.test_returns import forward_view

BODIES = ["mlp", "gru"]
GAMMAS = st.sampled_from([0.0, 0.9, 1.0])
LAMBDAS = st.sampled_from([0.0, 0.6, 1.0])


def sights(rollout: Rollout, game: int) -> list[Observation]:
    """What is seen before each step of a game, and after its last one."""
    length = int(rollout.valid[:, game].sum())
    seen = [at(rollout.observations, t, game) for t in range(length)]
    return [*seen, at(rollout.last_observation, game)]


def plain_cell(networks: TeamNetworks) -> Any:
    """Torch's cell with the weights of the networks' unit."""
    assert networks.unit is not None
    width = networks.unit.unit.hidden_size
    cell = nn.GRUCell(width, width, dtype=torch.float64)
    names = cell.state_dict()
    weights = {name: getattr(networks.unit.unit, f"{name}_l0") for name in names}
    return partial(torch.func.functional_call, cell, weights)


def plain_values(
    networks: TeamNetworks, body: str, seen: list[Observation]
) -> list[Tensor]:
    """Values ``[N, A]`` in each sight of a game, one after the other."""
    if body == "mlp":
        return [networks.values(one)[0] for one in seen]
    cell = plain_cell(networks)
    hidden: Tensor | None = None
    found = []
    for one in seen:
        assert one.features is not None
        encoded = networks.body(one.features)[0]
        before = torch.zeros_like(encoded) if hidden is None else hidden
        hidden = cell((encoded, before))
        found.append(networks.head(hidden.unsqueeze(0))[0])
    return found


def best_values(online: Tensor, target: Tensor, seen: Observation) -> list[Tensor]:
    """What the target thinks of each agent's action that the online network likes best.

    The dead are worth nothing.
    """
    found = []
    for agent, liked in enumerate(online.tolist()):
        legal = list(range(len(liked)))
        if seen.action_mask is not None:
            legal = [u for u in legal if seen.action_mask[0, agent, u]] or [0]
        greedy = max(legal, key=liked.__getitem__)
        lives = seen.alive is None or bool(seen.alive[0, agent])
        found.append(target[agent, greedy] * float(lives))
    return found


def slow_team_loss(host: QMIX, rollout: Rollout) -> Tensor:
    """Mean over all steps of (Q_tot - G)^2, with G by double Q-learning, game by game."""
    rollout = without_table(rollout)
    errors = []
    for game in range(rollout.actions.shape[1]):
        seen = sights(rollout, game)
        length = len(seen) - 1
        online = plain_values(host.online, host.config.body, seen)
        target = plain_values(host.target, host.config.body, seen)
        ahead = [
            float(
                slow_team_value(
                    host.target,
                    seen[t],
                    best_values(online[t].detach(), target[t], seen[t]),
                )
            )
            for t in range(1, length + 1)
        ]
        returns = forward_view(
            rollout.team_reward[:length, game].tolist(),
            ahead,
            bool(rollout.terminated[length - 1, game]),
            host.config.gamma,
            host.config.td_lambda,
        )
        for t in range(length):
            alive = rollout.acting[t, game].double()
            chosen = online[t].gather(1, rollout.actions[t, game].unsqueeze(1))[:, 0]
            team = slow_team_value(host.online, seen[t], list(chosen * alive))
            errors.append((team - returns[t]).square())
    return torch.stack(errors).mean()


@dataclass(frozen=True)
class Life:
    """The steps from ``start`` to ``stop - 1``, in all of which an agent lives."""

    start: int
    stop: int
    next_start: int


def lives(acting: list[bool]) -> list[Life]:
    """An agent's lives in a game, whose steps these are."""
    starts = [
        t for t, now in enumerate(acting) if now and (t == 0 or not acting[t - 1])
    ]
    found = []
    for start, following in zip(starts, [*starts[1:], len(acting)], strict=True):
        stop = start
        while stop < len(acting) and acting[stop]:
            stop += 1
        found.append(Life(start, stop, following))
    return found


def with_other_ends(rollout: Rollout, seed: int) -> Rollout:
    """Any game may be truncated, whenever it ends, and the dead may rise."""
    random = torch.Generator().manual_seed(seed)
    seen, last = rollout.observations, rollout.last_observation
    assert seen.alive is not None
    assert last.alive is not None
    over = rollout.terminated | rollout.truncated
    cut = torch.rand(over.shape[1], generator=random) < 0.5
    alive, at_end = (
        torch.rand(one.alive.shape, generator=random) < 0.7
        for one in (seen, last)
        if one.alive is not None
    )
    return replace(
        rollout,
        truncated=over & cut,
        terminated=over & ~cut,
        observations=replace(seen, alive=alive),
        last_observation=replace(last, alive=at_end),
    )


def slow_own_loss(host: QMIX, rollout: Rollout) -> Tensor:
    """Mean over all steps in which an agent acted of (Q - G)^2, agent by agent and life by life.

    An agent's game ends with its death. What it earns while it is dead belongs to the last step
    before, and is discounted.
    """
    rollout = without_table(rollout)
    gamma = host.config.gamma
    errors = []
    for game in range(rollout.actions.shape[1]):
        seen = sights(rollout, game)
        length = len(seen) - 1
        online = plain_values(host.online, host.config.body, seen)
        target = plain_values(host.target, host.config.body, seen)
        best = [
            best_values(online[t].detach(), target[t], seen[t])
            for t in range(length + 1)
        ]
        for agent in range(rollout.actions.shape[-1]):
            for life in lives(rollout.acting[:length, game, agent].tolist()):
                last = life.stop - 1
                rewards = rollout.reward[:, game, agent].double().tolist()
                later = rewards[last : life.next_start]
                earned = sum(gamma**k * reward for k, reward in enumerate(later))
                returns = forward_view(
                    [*rewards[life.start : last], earned],
                    [float(best[t + 1][agent]) for t in range(life.start, life.stop)],
                    life.stop < length or bool(rollout.terminated[length - 1, game]),
                    gamma,
                    host.config.td_lambda,
                )
                for t, target_value in enumerate(returns, life.start):
                    value = online[t][agent, rollout.actions[t, game, agent]]
                    errors.append((value - target_value).square())
    return torch.stack(errors).mean()


def assert_same_loss(case: Case, slowly: Tensor) -> None:
    total, gradients = case.loss()
    torch.testing.assert_close(total, slowly, check_dtype=False)
    expected = case.gradients(slowly)
    torch.testing.assert_close(gradients, expected, rtol=1e-6, atol=1e-8)
    assert any(bool(gradient.any()) for gradient in gradients.values())


@given(seeds(), st.sampled_from(["monotonic", "sum"]), LAMBDAS, GAMMAS)
@settings(max_examples=4)
def test_a_recurrent_team_is_unrolled_cell_by_cell(
    seed: int, mixer: str, td_lambda: float, gamma: float
) -> None:
    """Where agents die and games differ in length; the target network remembers for itself."""
    case = practice_case(
        seed, mixer, games=4, body="gru", td_lambda=td_lambda, gamma=gamma
    )
    assert_same_loss(case, slow_team_loss(case.host, case.rollout))
    other = Case(case.host, with_other_ends(case.rollout, seed))
    assert_same_loss(other, slow_team_loss(other.host, other.rollout))


@given(seeds(), st.sampled_from(BODIES), LAMBDAS, GAMMAS)
@settings(max_examples=6)
def test_independent_learners_where_agents_die(
    seed: int, body: str, td_lambda: float, gamma: float
) -> None:
    case = practice_case(
        seed, "none", games=4, body=body, td_lambda=td_lambda, gamma=gamma
    )
    assert_same_loss(case, slow_own_loss(case.host, case.rollout))
    other = Case(case.host, with_other_ends(case.rollout, seed))
    assert_same_loss(other, slow_own_loss(other.host, other.rollout))


@given(seeds(), st.sampled_from(BODIES), LAMBDAS)
@settings(max_examples=6)
def test_independent_learners_beside_a_table(
    seed: int, body: str, td_lambda: float
) -> None:
    """All of them earn the team's reward; networks without memory run once for each row."""
    case = fme_case(seed, "none", body=body, td_lambda=td_lambda)
    assert (case.rollout.table is not None) == (body == "mlp")
    assert_same_loss(case, slow_own_loss(case.host, case.rollout))
    torch.testing.assert_close(case.loss(without_table(case.rollout)), case.loss())


def test_games_are_ragged_and_agents_die_in_them() -> None:
    rollout = practice_case(0, "none", games=4, body="gru").rollout
    assert len(set(rollout.valid.sum(0).tolist())) > 1
    last = rollout.last_observation.alive
    assert last is not None
    assert 0 < int(last.sum()) < last.numel()


@pytest.mark.parametrize(
    ("mixer", "body"), [("monotonic", "gru"), ("none", "gru"), ("none", "mlp")]
)
def test_replayed_episodes_teach_what_they_taught(mixer: str, body: str) -> None:
    case = fme_case(1, mixer, 8, body=body)
    replay = Replay(8, fme_environment().spec)
    replay.add(case.rollout)
    replayed = replay.sample(8, torch.Generator().manual_seed(0), Progress())
    assert replayed is not None
    total, gradients = case.loss()
    other, other_gradients = case.loss(replayed)
    torch.testing.assert_close(total, other)
    torch.testing.assert_close(gradients, other_gradients, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("body", BODIES)
def test_an_independent_learner_hears_of_nobody_else(body: str) -> None:
    """Another's reward and another's sight change nothing in what its own head learns."""
    case = practice_case(
        1, "none", games=8, body=body
    )  # an odd seed: heads of their own
    rollout = case.rollout
    features = rollout.observations.features
    assert features is not None
    others = torch.tensor([0.0, 1.0, 1.0])
    changed = replace(
        rollout,
        reward=rollout.reward + 10 * others,
        observations=replace(
            rollout.observations, features=features + others.unsqueeze(-1)
        ),
    )
    (before, after) = (case.loss(one)[1] for one in (rollout, changed))
    name = "online.head.layers.0.weight"
    torch.testing.assert_close(before[name][0], after[name][0])
    assert not torch.allclose(before[name][1], after[name][1])


def test_an_independent_learner_needs_no_state_and_mixes_nothing() -> None:
    spec = EnvironmentSpec(agents=2, actions=3, max_steps=4, features=5)
    host = QMIX(QMIXConfig(mixer="none"), spec, torch.Generator())
    assert host.online.mixer is None
    assert host.capabilities.needs == {"features"}


@pytest.mark.parametrize("mixer", ["monotonic", "none"])
def test_a_recurrent_team_acts_as_it_learns(mixer: str) -> None:
    """Step after step it gives the values of the unrolled network, and rebuilds its memory."""
    case = practice_case(2, mixer, games=5, body="gru")
    rollout, host = case.rollout, case.host
    steps, games = rollout.valid.shape
    assert rollout.memory is None
    memory = host.initial_memory(games)
    rebuilt = host.memory_before(rollout, list(range(steps)))["hidden"]
    for step in range(steps):
        torch.testing.assert_close(rebuilt[step], memory["hidden"])
        seen = rollout.observations.map(itemgetter(step))
        scores, memory = host.scores(seen, memory)
        for game in range(games):
            if not rollout.valid[step, game]:
                continue
            plain = plain_values(host.online, "gru", sights(rollout, game))
            torch.testing.assert_close(scores[game], plain[step])
