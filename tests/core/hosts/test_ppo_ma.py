"""PPO-MA: its objective against a readable definition, and tables against samples."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from marl_core.collection.collector import Collector
from marl_core.config.run import RunConfig
from marl_core.construction import build_environment
from marl_core.exploration.entropy_sampling import EntropySampling
from marl_core.hosts.ppo.config import PPOMAConfig
from marl_core.hosts.ppo.ppo_ma import PPOMA
from marl_core.hosts.ppo.surrogate import ClipRange, SurrogateCells, clipped_objective
from marl_core.learning import LearningContext
from marl_core.protocols import ExplorationStrategy
from marl_core.rng import generator
from marl_core.runs.assembly import first_state, next_stage
from marl_core.training.optimizer import FlatAdam
from marl_core.types import EnvironmentSpec, Observation, Progress, Rollout
from tests.support.runs import run_data

CLIP = ClipRange(epsilon=0.2, dual=5.0)
ENTROPY = 0.05


def readable_objective(
    log_policy: Tensor, old: Tensor, row: Tensor, action: Tensor, advantage: Tensor
) -> tuple[Tensor, Tensor]:
    """Dual-clip PPO (Ye et al. 2020) with an entropy bonus, sample by sample; the share inside."""
    ratio = (log_policy[action, row] - old[action, row]).exp()
    clipped = ratio.clamp(1 - CLIP.epsilon, 1 + CLIP.epsilon)
    ppo = torch.minimum(ratio * advantage, clipped * advantage)
    surrogate = torch.where(
        advantage < 0, torch.maximum(ppo, CLIP.dual * advantage), ppo
    )
    entropy = -(log_policy.exp() * log_policy).sum(0)[row]
    inside = torch.where(
        advantage < 0,
        (ratio >= 1 - CLIP.epsilon) & (ratio <= CLIP.dual),
        ratio <= 1 + CLIP.epsilon,
    )
    return -(surrogate + ENTROPY * entropy).mean(), inside.double().mean()


def as_samples(
    old: Tensor, row: Tensor, action: Tensor, advantage: Tensor
) -> SurrogateCells:
    """A cell for each sample; the policy is then asked for row by row of the samples."""
    count = len(row)
    sides = torch.stack([advantage >= 0, advantage < 0]).double() / count
    weights = torch.full((count,), ENTROPY / count, dtype=torch.float64)
    return SurrogateCells(
        sides * advantage, sides, old[action, row], weights, action.unsqueeze(0)
    )


def as_table(
    old: Tensor, row: Tensor, action: Tensor, advantage: Tensor
) -> SurrogateCells:
    """A cell for each action in each row."""
    count = len(row)
    actions, rows = old.shape
    sums, shares = torch.zeros(2, 2, actions, rows, dtype=torch.float64).unbind()
    for r, u, a in zip(row, action, advantage, strict=True):
        sums[int(a < 0), u, r] += a / count
        shares[int(a < 0), u, r] += 1 / count
    return SurrogateCells(
        sums.flatten(1),
        shares.flatten(1),
        old.flatten(),
        ENTROPY * shares.sum((0, 1)),
        None,
    )


def random_policy(
    random: torch.Generator, actions: int, rows: int, scale: float, legal: Tensor
) -> Tensor:
    logits = scale * torch.randn(actions, rows, generator=random, dtype=torch.float64)
    return logits.masked_fill(~legal, -1e9)


@given(
    seed=st.integers(0, 2**31),
    actions=st.integers(2, 4),
    rows=st.integers(1, 4),
    samples=st.integers(1, 12),
    # From ratios near 1 to ratios beyond any bound.
    scale=st.sampled_from([0.01, 0.3, 3.0, 60.0]),
)
def test_objective_is_dual_clip_with_entropy(
    seed: int, actions: int, rows: int, samples: int, scale: float
) -> None:
    random = torch.Generator().manual_seed(seed)
    legal = torch.rand(actions, rows, generator=random) < 0.7
    legal[0] = True
    row = torch.randint(rows, (samples,), generator=random)
    action = torch.stack(
        [legal[:, r].double().multinomial(1, generator=random)[0] for r in row]
    )
    advantage = torch.randn(samples, generator=random, dtype=torch.float64)
    old = random_policy(random, actions, rows, scale, legal).log_softmax(0)
    logits = random_policy(random, actions, rows, scale, legal).requires_grad_()
    log_policy = logits.log_softmax(0)
    expected, inside = readable_objective(log_policy, old, row, action, advantage)
    (slope,) = torch.autograd.grad(expected, logits, retain_graph=True)
    for policy, cells in (
        (log_policy[:, row], as_samples(old, row, action, advantage)),
        (log_policy, as_table(old, row, action, advantage)),
    ):
        loss, share = clipped_objective(policy, cells, CLIP)
        torch.testing.assert_close(loss, expected)
        torch.testing.assert_close(share, inside)
        (own,) = torch.autograd.grad(loss, logits, retain_graph=True)
        torch.testing.assert_close(own, slope)


@pytest.mark.parametrize(
    ("ratio", "advantage", "loss", "slope"),
    [
        (1.1, 2.0, -2.2, -2.2),  # the plain policy gradient: d(A r)/d(log pi) = A r
        (1.5, 2.0, -2.4, 0.0),  # good already: bounded by 1 + epsilon
        (0.5, 2.0, -1.0, -1.0),  # good, but rarer: no bound
        (0.5, -2.0, 1.6, 0.0),  # bad, but avoided already: bounded by 1 - epsilon
        (3.0, -2.0, 6.0, 6.0),  # bad and more frequent
        (7.0, -2.0, 10.0, 0.0),  # beyond the dual clip
    ],
)
def test_clipping_by_hand(
    ratio: float, advantage: float, loss: float, slope: float
) -> None:
    log_policy = torch.tensor([[ratio]], dtype=torch.float64).log().requires_grad_()
    sides = torch.tensor(
        [[float(advantage >= 0)], [float(advantage < 0)]], dtype=torch.float64
    )
    none = torch.zeros(1, dtype=torch.float64)
    found, _ = clipped_objective(
        log_policy, SurrogateCells(sides * advantage, sides, none, none, None), CLIP
    )
    (own,) = torch.autograd.grad(found, log_policy)
    assert found.item() == pytest.approx(loss)
    assert own.item() == pytest.approx(slope)


def test_cells_that_nobody_visited_do_no_harm() -> None:
    """However much the policy has moved there."""
    log_policy = torch.tensor([[0.0, -1e9], [-1e9, 0.0]], requires_grad=True)
    cells = SurrogateCells(
        torch.tensor([[1.0, 0, 0, 0], [0, 0, 0, 0]]),
        torch.tensor([[1.0, 0, 0, 0], [0, 0, 0, 0]]),
        torch.tensor([0.0, 0.0, 0.0, -1e9]),
        torch.zeros(2),
        None,
    )
    loss, inside = clipped_objective(log_policy, cells, CLIP)
    (slope,) = torch.autograd.grad(loss, log_policy)
    assert loss.item() == -1.0
    assert float(inside) == 1.0
    assert torch.equal(slope, torch.tensor([[-1.0, 0.0], [0.0, 0.0]]))


def host_of(run: RunConfig, stage: int) -> tuple[PPOMA, ExplorationStrategy]:
    """Host and exploration in a stage: double precision, no parameter zero, no two agents alike."""
    state = first_state(run)
    if stage:
        state = next_stage(state)
    host = state.host
    assert isinstance(host, PPOMA)
    random = torch.Generator().manual_seed(9)
    host.double()
    with torch.no_grad():
        for parameter in host.parameters():
            parameter.add_(
                0.3
                * torch.randn(parameter.shape, generator=random, dtype=torch.float64)
            )
    return host, state.exploration


def collected(
    run: RunConfig, stage: int, *, use_table: bool
) -> tuple[PPOMA, ExplorationStrategy, Rollout]:
    host, exploration = host_of(run, stage)
    play, act = (generator("cpu", 1, name) for name in ("play", "act"))
    environment = build_environment(
        run.environment, games=40, device="cpu", generator=play
    )
    progress = Progress(stage=stage, stage_episodes=48)  # some way up the ramp of eta
    return (
        host,
        exploration,
        Collector(environment, act, use_table=use_table).collect(
            host, exploration, progress
        ),
    )


@pytest.mark.parametrize("second", ["ppo_ma", "pr", "pr_fast", "pr_fast_step"])
def test_tables_change_nothing(second: str) -> None:
    """The heart of the speed: sums over distinct observations in place of samples."""
    data = run_data(second)
    data["host"] = {"name": "ppo_ma", "epochs": 12, "learning_rate": 0.02}
    run = RunConfig.model_validate(data)
    trained = []
    for use_table in (True, False):
        host, exploration, rollout = collected(run, 1, use_table=use_table)
        assert (rollout.table is not None) == use_table
        optimizer = FlatAdam(host.parameter_groups())
        history = []
        for loss in host.losses(rollout, exploration.individual, LearningContext()):
            gradients = optimizer.gradients_of(loss.total)
            history.append(
                (dict(loss.metrics), [gradient.clone() for gradient in gradients])
            )
            optimizer.set_gradients(gradients)
            optimizer.step()
        trained.append((rollout, history, host.state_dict()))
    (on_table, by_table, weights), (on_samples, by_sample, expected) = trained
    assert torch.equal(on_table.actions, on_samples.actions)
    assert torch.equal(on_table.team_reward, on_samples.team_reward)
    assert 1 < len(by_table) == len(by_sample)
    close: dict[str, Any] = {"rtol": 1e-6, "atol": 1e-8}
    for (metrics, gradients), (other_metrics, other_gradients) in zip(
        by_table, by_sample, strict=True
    ):
        torch.testing.assert_close(metrics, other_metrics, **close)
        torch.testing.assert_close(gradients, other_gradients, **close)
    torch.testing.assert_close(weights, expected, **close)


SPEC = EnvironmentSpec(
    agents=3, actions=4, max_steps=6, features=5, action_masks=True, agents_die=True
)
STEPS = 6
GAMES = 8


def made_up(seed: int, *, of_dead_and_padding: int) -> Rollout:
    """A rollout of games that end at different steps and agents that die; a seed of its own for
    what must not matter.

    These are everything after the end of a game, and what the dead do.
    """
    random = torch.Generator().manual_seed(seed)
    other = torch.Generator().manual_seed(of_dead_and_padding)
    shape = (STEPS, GAMES)
    agents = SPEC.agents
    actions = SPEC.actions
    steps = torch.arange(STEPS).unsqueeze(-1)
    length = torch.randint(2, STEPS + 1, (GAMES,), generator=random)
    valid = steps < length
    death = torch.randint(1, STEPS, (GAMES, agents), generator=random)
    death[:, 0] = STEPS  # somebody always lives ...
    death[:, 2] = 0  # ... and somebody never does
    alive = steps.unsqueeze(-1) < death

    def mixed(draw: Any, fixed: Tensor) -> Tensor:
        return torch.where(
            fixed.view(*fixed.shape, *[1] * (draw(random).dim() - fixed.dim())),
            draw(random),
            draw(other),
        )

    features = mixed(lambda g: torch.randn(*shape, agents, 5, generator=g), valid)
    chosen = mixed(
        lambda g: torch.randint(actions, (*shape, agents), generator=g),
        valid.unsqueeze(-1) & alive,
    )
    legal = torch.rand(*shape, agents, actions, generator=random) < 0.6
    legal.scatter_(-1, chosen.unsqueeze(-1), True)
    reward = mixed(lambda g: torch.randn(shape, generator=g), valid)
    ends = steps == length - 1
    return Rollout(
        observations=Observation(features=features, action_mask=legal, alive=alive),
        last_observation=Observation(
            features=torch.randn(GAMES, agents, 5, generator=random)
        ),
        actions=chosen,
        reward=reward.unsqueeze(-1).expand(*shape, agents),
        team_reward=reward,
        terminated=ends & (length < STEPS),
        truncated=ends & (length == STEPS),
        valid=valid,
        component=torch.zeros(shape, dtype=torch.int64),
        progress=Progress(),
    )


def gradients_of(rollout: Rollout) -> dict[str, Tensor]:
    """The gradients of the first epoch, with a head for each agent."""
    host = PPOMA(PPOMAConfig(name="ppo_ma"), SPEC, torch.Generator().manual_seed(3))
    host.head.copy_for_each_agent(SPEC.agents)
    with torch.no_grad():
        for parameter in host.parameters():
            parameter.add_(
                0.3
                * torch.randn(
                    parameter.shape, generator=torch.Generator().manual_seed(4)
                )
            )
    next(host.losses(rollout, EntropySampling(), LearningContext())).total.backward()
    return {name: p.grad for name, p in host.named_parameters() if p.grad is not None}


def test_the_dead_and_the_padding_teach_nothing() -> None:
    one = made_up(1, of_dead_and_padding=2)
    other = made_up(1, of_dead_and_padding=3)
    assert not torch.equal(one.actions, other.actions)
    assert not torch.equal(one.reward, other.reward)
    first = gradients_of(one)
    second = gradients_of(other)
    torch.testing.assert_close(first, second, rtol=1e-4, atol=1e-6)
    unlike = gradients_of(made_up(2, of_dead_and_padding=2))
    assert not torch.allclose(
        first["body.layers.0.weight"], unlike["body.layers.0.weight"], rtol=1e-2
    )
    for name, gradient in first.items():
        if name.startswith("head.layers"):
            assert bool(gradient[0].any())
            assert not bool(gradient[2].any()), (
                "an agent that was dead throughout has learnt"
            )


def test_learning_ends_early_when_too_much_has_left_the_clip_range() -> None:
    data = run_data("ppo_ma")
    shares: dict[float, list[float]] = {}
    for least in (0.0, 0.7):
        data["host"] = {
            "name": "ppo_ma",
            "epochs": 24,
            "learning_rate": 0.05,
            "min_inside_clip": least,
        }
        host, exploration, rollout = collected(
            RunConfig.model_validate(data), 0, use_table=True
        )
        optimizer = FlatAdam(host.parameter_groups())
        shares[least] = []
        for loss in host.losses(rollout, exploration.individual, LearningContext()):
            shares[least].append(float(loss.metrics["inside_clip"]))
            optimizer.set_gradients(optimizer.gradients_of(loss.total))
            optimizer.step()
    assert len(shares[0.0]) == 24
    first = next(index for index, share in enumerate(shares[0.0]) if share < 0.7)
    assert 0 < first < 23
    assert shares[0.7] == shares[0.0][: first + 1]
    assert shares[0.0][0] == pytest.approx(1.0)


def test_critic_learns_ten_times_as_fast_and_is_not_clipped() -> None:
    host, _ = host_of(RunConfig.model_validate(run_data("ppo_ma")), 0)
    policy, critic = host.parameter_groups()
    assert critic.learning_rate == pytest.approx(10 * policy.learning_rate)
    assert policy.max_gradient_norm == 0.5
    assert critic.max_gradient_norm is None
    assert {id(p) for p in critic.parameters} == {
        id(p) for p in host.critic.parameters()
    }
    assert {id(p) for p in (*policy.parameters, *critic.parameters)} == {
        id(p) for p in host.parameters()
    }


def test_pr_fast_trains_heads_and_critic_alone() -> None:
    run = RunConfig.model_validate(run_data("pr_fast"))
    host, exploration, rollout = collected(run, 1, use_table=True)
    learning = {name for name, p in host.named_parameters() if p.requires_grad}
    assert {name.split(".")[0] for name in learning} == {"head", "critic"}
    assert all(p.shape[0] == 5 for p in host.head.parameters())
    next(
        host.losses(rollout, exploration.individual, LearningContext())
    ).total.backward()
    assert {
        name
        for name, p in host.named_parameters()
        if p.grad is not None and bool(p.grad.any())
    } == learning
    optimised = sum(
        vector.numel() for vector in FlatAdam(host.parameter_groups()).vectors
    )
    assert optimised == sum(p.numel() for p in host.parameters() if p.requires_grad)


def test_advantages_are_normalised_over_the_samples_that_count() -> None:
    """The policy's gradient stays if rewards of equally long episodes are scaled and shifted."""
    run = RunConfig.model_validate(
        {**run_data("ppo_ma"), "host": {"name": "ppo_ma", "gamma": 0.0}}
    )
    host, exploration, rollout = collected(run, 0, use_table=True)
    with torch.no_grad():
        for parameter in host.critic.parameters():
            parameter.zero_()
    changed = replace(rollout, reward=100 * rollout.reward + 7)
    optimizer = FlatAdam(host.parameter_groups())
    gradients = [
        optimizer.gradients_of(
            next(host.losses(one, exploration.individual, LearningContext())).total
        )[0]
        for one in (rollout, changed)
    ]
    assert float(gradients[0].norm()) > 1e-3
    torch.testing.assert_close(gradients[0], gradients[1], rtol=1e-4, atol=1e-6)
