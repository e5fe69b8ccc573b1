"""QMIX and VDN: mixing, the loss against a slow and readable one, the target network, learning."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from marl_core.collection.collector import Collector
from marl_core.collection.replay import Replay
from marl_core.errors import UserError
from marl_core.exploration.coupled import CoupledExploration
from marl_core.exploration.epsilon_greedy import EpsilonGreedy
from marl_core.hosts.qmix.config import QMIXConfig
from marl_core.hosts.qmix.mixing import _FEW_STATES, MixingWeights, MonotonicMixer, mix
from marl_core.hosts.qmix.networks import TeamNetworks
from marl_core.hosts.qmix.qmix import QMIX
from marl_core.joint_policy import JointPolicy, greedy_actions
from marl_core.learning import LearningContext
from marl_core.observation_table import without_table
from marl_core.protocols import Environment
from marl_core.testing.practice import Practice, PracticeConfig
from marl_core.testing.strategies import seeds
from marl_core.training.optimizer import FlatAdam
from marl_core.types import EnvironmentSpec, Observation, Progress, Rollout
from marl_envs.fme import FME, FMEConfig
from tests.core.test_returns import forward_view

MIXERS = ["monotonic", "sum"]
#: How teams play whose rollouts the loss is tried on: every legal action is as likely as any other.
AT_RANDOM = CoupledExploration(EpsilonGreedy(start=1.0, end=1.0))
#: What the loss is given; it depends on no policy.
POLICY = AT_RANDOM.individual


# The mixing network


def random_mixer(
    seed: int, states: int, agents: int, hidden: int, scale: float, shift: float
) -> MonotonicMixer:
    """A mixer in double precision whose hypernetworks are far from their initial weights."""
    random = torch.Generator().manual_seed(seed)
    mixer = MonotonicMixer(states, agents, hidden, random).double()
    with torch.no_grad():
        for parameter in mixer.parameters():
            parameter.copy_(
                scale
                * torch.randn(parameter.shape, generator=random, dtype=torch.float64)
                + shift
            )
    return mixer


@given(
    seed=seeds(),
    teams=st.integers(1, 4),
    agents=st.integers(1, 5),
    hidden=st.integers(1, 6),
    scale=st.sampled_from([0.0, 0.1, 1.0, 10.0]),
    shift=st.sampled_from([-10.0, -1.0, 0.0, 1.0]),
    rise=st.sampled_from([1e-3, 1.0, 100.0]),
)
def test_the_team_never_loses_by_an_agents_gain(
    seed: int,
    teams: int,
    agents: int,
    hidden: int,
    scale: float,
    shift: float,
    rise: float,
) -> None:
    """In any state, with any weights, also where all that the hypernetworks give is negative."""
    mixer = random_mixer(seed, 3, agents, hidden, scale, shift)
    random = torch.Generator().manual_seed(seed)
    state = 3 * torch.randn(teams, 3, generator=random, dtype=torch.float64)
    values = 10 * torch.randn(teams, agents, generator=random, dtype=torch.float64)
    with torch.no_grad():
        weights = mixer.weights(state)
        before = mix(values, weights)
        for agent in range(agents):
            more = values.clone()
            more[:, agent] += rise
            after = mix(more, weights)
            # What is added up is as large as the weights are; so is its rounding.
            rounding = 1e-12 * (
                1 + weights.second.sum(-1) * (1 + weights.first.sum((1, 2)) * 100 + 1e4)
            )
            assert (after >= before - rounding).all()
    values.requires_grad_()
    (slope,) = torch.autograd.grad(mix(values, weights).sum(), values)
    assert (slope >= 0).all()


@given(seed=seeds(), agents=st.integers(1, 8))
def test_the_team_gains_by_every_agent(seed: int, agents: int) -> None:
    mixer = MonotonicMixer(3, agents, 32, torch.Generator().manual_seed(seed))
    random = torch.Generator().manual_seed(seed + 1)
    values = torch.randn(5, agents, generator=random).requires_grad_()
    (slope,) = torch.autograd.grad(
        mix(values, mixer.weights(torch.randn(5, 3, generator=random))).sum(), values
    )
    assert (slope > 0).all()


def test_what_the_team_is_worth_depends_on_the_state() -> None:
    mixer = MonotonicMixer(3, 4, 8, torch.Generator().manual_seed(0))
    team = mix(torch.ones(3, 4), mixer.weights(torch.eye(3)))
    assert len(set(team.tolist())) == 3


def slow_mix(values: list[Tensor], weights: MixingWeights, state: int) -> Tensor:
    """Q_tot of one team: w2 . elu(W1 q + b1) + b2."""
    total = weights.second_bias[state]
    for h in range(weights.second.shape[1]):
        inner = weights.first_bias[state, h]
        for agent, value in enumerate(values):
            inner = inner + weights.first[state, agent, h] * value
        total = total + weights.second[state, h] * (
            inner if inner > 0 else inner.exp() - 1
        )
    return total


@given(
    seed=seeds(),
    states=st.sampled_from([1, 2, _FEW_STATES, _FEW_STATES + 1, 2 * _FEW_STATES]),
    teams=st.integers(1, 20),
    agents=st.integers(1, 4),
    hidden=st.integers(1, 5),
)
@settings(max_examples=60)
def test_shared_weights_mix_as_written_out_ones(
    seed: int, states: int, teams: int, agents: int, hidden: int
) -> None:
    """In few states and in many; gradients by the values and by the weights too."""
    random = torch.Generator().manual_seed(seed)
    mixer = random_mixer(seed, 3, agents, hidden, 1.0, 0.0)
    weights = mixer.weights(
        torch.randn(states, 3, generator=random, dtype=torch.float64)
    )
    row = torch.randint(states, (teams,), generator=random)
    values = torch.randn(
        teams, agents, generator=random, dtype=torch.float64
    ).requires_grad_()
    found = mix(values, weights, row)
    written = mix(values, MixingWeights(*(part[row] for part in weights)))
    slowly = torch.stack(
        [slow_mix(list(values[b]), weights, int(row[b])) for b in range(teams)]
    )
    by = (values, *mixer.parameters())
    slopes = [
        torch.autograd.grad(
            team.square().sum(),
            by,
            retain_graph=True,
            materialize_grads=True,
            allow_unused=True,
        )
        for team in (found, written, slowly)
    ]
    for other, other_slopes in ((written, slopes[1]), (slowly, slopes[2])):
        torch.testing.assert_close(found, other)
        torch.testing.assert_close(slopes[0], other_slopes)


# The loss


@dataclass(frozen=True)
class Case:
    """A host far from its initial weights, in double precision, and what it learns from."""

    host: QMIX
    rollout: Rollout

    def loss(self, rollout: Rollout | None = None) -> tuple[Tensor, dict[str, Tensor]]:
        """The loss and its gradients."""
        (loss,) = self.host.losses(
            self.rollout if rollout is None else rollout, POLICY, LearningContext()
        )
        return loss.total, self.gradients(loss.total)

    def gradients(self, total: Tensor) -> dict[str, Tensor]:
        online = {
            name: p for name, p in self.host.named_parameters() if p.requires_grad
        }
        found = torch.autograd.grad(
            total, list(online.values()), materialize_grads=True, allow_unused=True
        )
        return dict(zip(online, found, strict=True))


def host_for(
    spec: EnvironmentSpec, mixer: Any, seed: int, *, heads: bool = False, **config: Any
) -> QMIX:
    host = QMIX(
        QMIXConfig(name="qmix", mixer=mixer, hidden=6, **config),
        spec,
        torch.Generator().manual_seed(seed),
    )
    if heads:
        host.give_each_agent_its_own_head()
        host.online.body.requires_grad_(True)
    random = torch.Generator().manual_seed(seed + 1)
    host.double()
    with (
        torch.no_grad()
    ):  # online and target networks differ, and prefer different actions
        for parameter in host.parameters():
            parameter.add_(
                0.4
                * torch.randn(parameter.shape, generator=random, dtype=torch.float64)
            )
    return host


def collected(
    environment: Environment, host: QMIX, seed: int, *, use_table: bool = True
) -> Rollout:
    # Not the generator of the games: drawing what they draw, a team would never have bad luck.
    collector = Collector(
        environment, torch.Generator().manual_seed(seed + 1000), use_table=use_table
    )
    return collector.collect(host, AT_RANDOM, Progress())


def practice_case(seed: int, mixer: str, games: int = 6, **config: Any) -> Case:
    environment = Practice(
        PracticeConfig(max_steps=8),
        games=games,
        device="cpu",
        generator=torch.Generator().manual_seed(seed),
    )
    host = host_for(environment.spec, mixer, seed, heads=seed % 2 == 1, **config)
    return Case(host, collected(environment, host, seed))


def fme_environment(seed: int = 0, games: int = 5, **config: Any) -> FME:
    settings = {"agents": 3, "tag": "1A2B1C", "actions": 5, **config}
    return FME(
        FMEConfig(name="fme", **settings),
        games=games,
        device="cpu",
        generator=torch.Generator().manual_seed(seed),
    )


def fme_case(
    seed: int, mixer: str, games: int = 5, *, use_table: bool = True, **config: Any
) -> Case:
    environment = fme_environment(seed, games)
    host = host_for(environment.spec, mixer, seed, heads=seed % 2 == 1, **config)
    return Case(host, collected(environment, host, seed, use_table=use_table))


def at(seen: Observation, *index: int) -> Observation:
    """The observation of one game at one time, as the only one of a batch."""
    return seen.map(lambda value: value[index].unsqueeze(0))


def slow_team_value(
    networks: TeamNetworks, seen: Observation, values: list[Tensor]
) -> Tensor:
    mixing = networks.mixing(seen)
    return (
        sum(values, torch.tensor(0.0))
        if mixing is None
        else slow_mix(values, mixing, 0)
    )


def slow_loss(host: QMIX, rollout: Rollout) -> Tensor:
    """Mean over all steps played of (Q_tot - G)^2, game by game.

    G is the TD(lambda) return by double Q-learning.
    """
    rollout = without_table(rollout)
    agents = rollout.actions.shape[-1]
    errors = []
    for game in range(rollout.actions.shape[1]):
        length = int(rollout.valid[:, game].sum())
        seen = [at(rollout.observations, t, game) for t in range(length)]
        following = [*seen[1:], at(rollout.last_observation, game)]
        ahead = []
        for after in following:
            online = host.online.values(after)[0].detach()
            target = host.target.values(after)[0]
            best = []
            for agent in range(agents):
                legal = list(range(online.shape[-1]))
                if after.action_mask is not None:
                    legal = [u for u in legal if after.action_mask[0, agent, u]] or [0]
                greedy = max(legal, key=online[agent].tolist().__getitem__)
                lives = after.alive is None or bool(after.alive[0, agent])
                best.append(
                    target[agent, greedy]
                    if lives
                    else torch.tensor(0.0, dtype=torch.float64)
                )
            ahead.append(float(slow_team_value(host.target, after, best)))
        targets = forward_view(
            rollout.team_reward[:length, game].tolist(),
            ahead,
            bool(rollout.terminated[length - 1, game]),
            host.config.gamma,
            host.config.td_lambda,
        )
        for t in range(length):
            values = host.online.values(seen[t])[0]
            alive = seen[t].alive
            chosen = [
                values[agent, rollout.actions[t, game, agent]]
                * (1.0 if alive is None else float(alive[0, agent]))
                for agent in range(agents)
            ]
            errors.append(
                (slow_team_value(host.online, seen[t], chosen) - targets[t]).square()
            )
    return torch.stack(errors).mean()


def assert_loss_is_the_slow_one(case: Case) -> None:
    total, gradients = case.loss()
    slowly = slow_loss(case.host, case.rollout)
    torch.testing.assert_close(total, slowly)
    torch.testing.assert_close(gradients, case.gradients(slowly), rtol=1e-6, atol=1e-9)
    assert any(bool(gradient.any()) for gradient in gradients.values())


LAMBDAS = st.sampled_from([0.0, 0.6, 1.0])


@given(seeds(), st.sampled_from(MIXERS), LAMBDAS, st.sampled_from([0.0, 0.9, 1.0]))
@settings(max_examples=12)
def test_the_loss_where_agents_die_and_games_differ_in_length(
    seed: int, mixer: str, td_lambda: float, gamma: float
) -> None:
    assert_loss_is_the_slow_one(
        practice_case(seed, mixer, td_lambda=td_lambda, gamma=gamma)
    )


def test_practice_brings_all_that_the_loss_has_to_cope_with() -> None:
    rollout = practice_case(0, "sum", games=40).rollout
    length = rollout.valid.sum(0)
    assert len(set(length.tolist())) > 2
    assert rollout.terminated.any()
    assert rollout.truncated.any()
    assert rollout.observations.alive is not None
    assert rollout.observations.action_mask is not None
    assert (~rollout.observations.alive & rollout.valid.unsqueeze(-1)).sum() > 10
    assert (
        rollout.observations.alive.unsqueeze(-1) & ~rollout.observations.action_mask
    )[rollout.valid].any()


@given(seeds(), st.sampled_from(MIXERS), LAMBDAS)
@settings(max_examples=10)
def test_the_loss_on_fme(seed: int, mixer: str, td_lambda: float) -> None:
    assert_loss_is_the_slow_one(fme_case(seed, mixer, td_lambda=td_lambda))


@given(seeds(), st.sampled_from(MIXERS), st.integers(1, 40))
@settings(max_examples=15)
def test_tables_change_nothing(seed: int, mixer: str, games: int) -> None:
    """Networks and mixing weights once for each level, not for each sample; out of a replay too."""
    case = fme_case(seed, mixer, games)
    assert case.rollout.table is not None
    replay = Replay(games, fme_environment().spec)
    replay.add(case.rollout)
    replayed = replay.sample(games, torch.Generator().manual_seed(seed), Progress())
    assert replayed is not None
    assert replayed.table is case.rollout.table
    samples = fme_case(seed, mixer, games, use_table=False).rollout
    assert samples.table is None
    assert torch.equal(samples.actions, case.rollout.actions)
    total, gradients = case.loss()
    for other in (
        without_table(case.rollout),
        samples,
        replayed,
        without_table(replayed),
    ):
        other_total, other_gradients = case.loss(other)
        torch.testing.assert_close(total, other_total)
        torch.testing.assert_close(gradients, other_gradients, rtol=1e-6, atol=1e-9)


@given(seeds(), st.sampled_from(MIXERS))
@settings(max_examples=5)
def test_the_dead_count_for_nothing_beside_a_table_too(seed: int, mixer: str) -> None:
    """A table says what the agents see, not which of them live."""
    case = fme_case(seed, mixer)
    random = torch.Generator().manual_seed(seed)
    steps, games, agents = case.rollout.actions.shape
    death = torch.randint(1, steps + 2, (games, agents), generator=random)
    alive = torch.arange(steps + 1).view(-1, 1, 1) < death
    rollout = replace(
        case.rollout,
        observations=replace(case.rollout.observations, alive=alive[:-1]),
        last_observation=replace(case.rollout.last_observation, alive=alive[-1]),
        terminated=torch.zeros_like(case.rollout.terminated),
        truncated=case.rollout.terminated,
    )
    assert_loss_is_the_slow_one(Case(case.host, rollout))


def test_the_dead_and_the_padding_teach_nothing() -> None:
    """Not the actions of the dead, nor rewards, observations and actions after a game's end."""
    case = practice_case(3, "monotonic", games=20)
    rollout = case.rollout
    random = torch.Generator().manual_seed(0)
    padding = ~rollout.valid
    idle = ~rollout.acting
    noise = torch.randint(4, rollout.actions.shape, generator=random)
    features = rollout.observations.features
    state = rollout.observations.state
    assert features is not None
    assert state is not None
    other = replace(
        rollout,
        actions=torch.where(idle, noise, rollout.actions),
        team_reward=rollout.team_reward + 1000.0 * padding,
        observations=replace(
            rollout.observations,
            features=features + 10.0 * padding.view(*padding.shape, 1, 1),
            state=state + 10.0 * padding.unsqueeze(-1),
        ),
    )
    assert not torch.equal(other.actions, rollout.actions)
    assert padding.any()
    torch.testing.assert_close(case.loss(other), case.loss())


def test_an_agent_that_never_lives_learns_nothing() -> None:
    environment = Practice(
        PracticeConfig(),
        games=8,
        device="cpu",
        generator=torch.Generator().manual_seed(0),
    )
    host = host_for(environment.spec, "monotonic", 0, heads=True)
    rollout = collected(environment, host, 0)
    assert rollout.observations.alive is not None
    lives = torch.tensor([True, False, True])
    seen = replace(rollout.observations, alive=rollout.observations.alive & lives)
    _, gradients = Case(host, replace(rollout, observations=seen)).loss()
    for name, gradient in gradients.items():
        if name.startswith("online.head"):
            assert [bool(own.any()) for own in gradient] == lives.tolist()


def test_vdn_needs_no_state_and_qmix_does() -> None:
    spec = replace(fme_environment().spec, state_features=None)
    random = torch.Generator()
    assert QMIX(QMIXConfig(name="qmix", mixer="sum"), spec, random).online.mixer is None
    with pytest.raises(UserError, match="`mixer: sum`"):
        QMIX(QMIXConfig(name="qmix"), spec, random)
    with pytest.raises(UserError, match="feature"):
        QMIX(QMIXConfig(name="qmix"), replace(spec, features=None), random)


def test_vdn_learns_from_a_table_without_a_state() -> None:
    case = fme_case(0, "sum")
    assert case.rollout.table is not None
    stateless = replace(case.rollout, table=replace(case.rollout.table, state=None))
    torch.testing.assert_close(case.loss(stateless), case.loss())


# The target network


def target_of(host: QMIX) -> Tensor:
    return torch.cat([p.detach().flatten() for p in host.target.parameters()]).clone()


def disturb(host: QMIX) -> Tensor:
    """Change the online network, as a step of learning does; the new weights."""
    with torch.no_grad():
        for parameter in host.online.parameters():
            parameter.add_(0.1)
    return torch.cat([p.detach().flatten() for p in host.online.parameters()])


@given(st.integers(1, 60), st.integers(1, 40))
@settings(max_examples=30)
def test_the_target_network_is_copied_every_so_many_episodes(
    every: int, step: int
) -> None:
    case = fme_case(0, "monotonic", target_every=every)
    host = case.host
    rollout = case.rollout
    expected = target_of(host)
    copied = 0
    for episodes in range(0, 8 * step, step):
        online = disturb(host)
        next(
            host.losses(
                replace(rollout, progress=Progress(episodes=episodes)),
                POLICY,
                LearningContext(),
            )
        )
        if episodes - copied >= every:
            expected = online
            copied = episodes
        assert torch.equal(target_of(host), expected)


def test_the_copy_is_made_before_the_target_is_used() -> None:
    case = fme_case(1, "monotonic", target_every=10)
    twin = fme_case(1, "monotonic", target_every=10)
    twin.host._synchronise()
    late = replace(case.rollout, progress=Progress(episodes=10))
    torch.testing.assert_close(case.loss(late), twin.loss())


@pytest.mark.parametrize("heads", [False, True])
def test_the_target_network_is_never_learnt(heads: bool) -> None:
    environment = fme_environment()
    host = QMIX(
        QMIXConfig(name="qmix"), environment.spec, torch.Generator().manual_seed(0)
    )
    if heads:
        host.give_each_agent_its_own_head()
    assert torch.equal(
        target_of(host), torch.cat([p.flatten() for p in host.online.parameters()])
    )
    next(
        host.losses(collected(environment, host, 0), POLICY, LearningContext())
    ).total.backward()
    assert all(p.grad is None and not p.requires_grad for p in host.target.parameters())
    learnt = {name for name, p in host.named_parameters() if p.grad is not None}
    frozen = "online.body" if heads else "none"
    assert learnt == {
        name
        for name, _ in host.named_parameters()
        if name.startswith("online") and frozen not in name
    }
    optimised = sum(
        vector.numel() for vector in FlatAdam(host.parameter_groups()).vectors
    )
    assert optimised == sum(
        p.numel() for p in host.online.parameters() if p.requires_grad
    )


def test_a_host_goes_on_with_the_target_network_of_its_state() -> None:
    case = fme_case(2, "monotonic", target_every=20)
    twin = fme_case(4, "monotonic", target_every=20)
    for episodes in (0, 20, 35):
        disturb(case.host)
        case.loss(replace(case.rollout, progress=Progress(episodes=episodes)))
    twin.host.load_state_dict(case.host.state_dict())
    for episodes in (39, 40):
        late = replace(case.rollout, progress=Progress(episodes=episodes))
        torch.testing.assert_close(case.loss(late), twin.loss(late), rtol=0, atol=0)
    assert torch.equal(target_of(case.host), target_of(twin.host))


# Learning


def best_return(environment: FME) -> float:
    """The greatest expected return of any joint policy: all joint actions are tried."""
    spec = environment.spec
    everything = [
        environment.expected_rewards(
            JointPolicy.deterministic(
                torch.tensor([joint]).expand(spec.max_steps, -1), spec.actions
            )
        )
        for joint in itertools.product(range(spec.actions), repeat=spec.agents)
    ]
    return float(torch.stack(everything).amax(0).sum())


@pytest.mark.parametrize(
    "mixer", ["monotonic", pytest.param("sum", marks=pytest.mark.slow)]
)
def test_it_learns(mixer: Any) -> None:
    """A small team finds the best joint action of every level, in 300 updates."""
    environment = fme_environment(1, 16, tag="1A1B1C", actions=4)
    config = QMIXConfig(name="qmix", mixer=mixer, learning_rate=3e-3, target_every=64)
    host = QMIX(config, environment.spec, torch.Generator().manual_seed(0))
    exploration = CoupledExploration(EpsilonGreedy(anneal_steps=200 * 16 * 3))
    optimizer = FlatAdam(host.parameter_groups())
    replay = Replay(2000, environment.spec)
    collector = Collector(environment, torch.Generator().manual_seed(2))
    random = torch.Generator().manual_seed(3)
    table = environment.distinct_observations

    def exact() -> float:
        with torch.no_grad():
            scores, _ = host.scores(table, {})
        return float(
            environment.expected_rewards(
                JointPolicy.deterministic(greedy_actions(scores), 4)
            ).sum()
        )

    before = exact()
    for update in range(300):
        progress = Progress(
            episodes=16 * update, environment_steps=48 * update, updates=update
        )
        replay.add(collector.collect(host, exploration, progress))
        sampled = replay.sample(64, random, progress)
        if sampled is not None:
            (loss,) = host.losses(sampled, POLICY, LearningContext())
            optimizer.set_gradients(optimizer.gradients_of(loss.total))
            optimizer.step()
    best = best_return(environment)
    assert before < 0.8 * best
    assert exact() > 0.99 * best
