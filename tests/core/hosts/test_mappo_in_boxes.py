"""MAPPO where actions are numbers in a box: its head, its ratio, what it learns."""

from __future__ import annotations

from dataclasses import replace
from operator import itemgetter
from pathlib import Path
from typing import Any, Literal

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from marl_core import load
from marl_core.collection.collector import Collector
from marl_core.config.run import RunConfig
from marl_core.coupling.greedy import Greedy
from marl_core.errors import UserError
from marl_core.exploration.coupled import CoupledExploration
from marl_core.exploration.gaussian import Gaussian, GaussianConfig
from marl_core.hosts.gaussian_head import LEAST_LOG_STD, MOST_LOG_STD, GaussianHead
from marl_core.hosts.mappo.config import MAPPOConfig
from marl_core.hosts.mappo.judging import log_of_chosen
from marl_core.hosts.mappo.mappo import MAPPO
from marl_core.learning import SingleRank, eagerly
from marl_core.runs.assembly import first_state
from marl_core.runs.folder import RunFolder
from marl_core.training.learner import Learner
from marl_core.training.stages import train
from marl_core.training.watchers import Watchers
from marl_core.types import Progress, Rollout
from marl_pr.coupling import PolicyResonance
from tests.support.box_games import Targets, TargetsConfig
from tests.support.runs import differences, go_on, outcome

HERE = "tests.support.box_games:Targets"


def run_of(**parts: Any) -> RunConfig:
    data: dict[str, Any] = {
        "seed": 0,
        "environment": {"name": HERE},
        "host": {"name": "mappo", "hidden": 16, "epochs": 3},
        "exploration": {"name": "gaussian"},
        "stages": [{"episodes": 128}],
        "training": {
            "episodes_per_update": 32,
            "evaluation_episodes": 4,
            "threads": 1,
        },
    }
    return RunConfig.model_validate(data | parts)


def made(**settings: Any) -> MAPPO:
    spec = Targets(
        TargetsConfig(), games=1, device="cpu", generator=torch.Generator()
    ).spec
    config = MAPPOConfig(hidden=8, **settings)
    return MAPPO(config, spec, torch.Generator().manual_seed(0))


Bounds = Literal["clip", "tanh"]


def played(host: MAPPO, bounds: Bounds, games: int = 6, **settings: Any) -> Rollout:
    spec_of = {"mortal": False, **settings}
    environment = Targets(
        TargetsConfig(**spec_of),
        games=games,
        device="cpu",
        generator=torch.Generator().manual_seed(1),
    )
    policy = Gaussian(GaussianConfig(bounds=bounds), environment.spec)
    team = CoupledExploration(policy, PolicyResonance(ramp_episodes=0))
    collector = Collector(environment, torch.Generator().manual_seed(2))
    return collector.collect(host, team, Progress())


def policy_of(host: MAPPO, bounds: Bounds) -> Gaussian:
    return Gaussian(GaussianConfig(bounds=bounds, coefficient=0.01), _spec())


def _spec() -> Any:
    generator = torch.Generator()
    return Targets(TargetsConfig(), games=1, device="cpu", generator=generator).spec


@given(st.floats(0.01, 2.5), st.floats(-1e3, 1e3))
def test_spreads_begin_where_they_are_told_and_stay_between_bounds(
    initial: float, moved: float
) -> None:
    head = GaussianHead(4, 3, initial, torch.Generator().manual_seed(0))
    hidden = torch.randn(5, 2, 4, generator=torch.Generator().manual_seed(1))
    spread = head(hidden)[..., 3:].exp()
    torch.testing.assert_close(
        spread, torch.full((5, 2, 3), initial), rtol=1e-4, atol=0
    )
    with torch.no_grad():
        for parameter in head.spread.parameters():
            parameter.add_(moved)
    log_std = head(hidden)[..., 3:]
    assert ((log_std >= LEAST_LOG_STD) & (log_std <= MOST_LOG_STD)).all()


def test_each_agent_may_have_its_own_spread() -> None:
    """Shared spreads are copied for each agent (PR-Fast), and groups have their own at once."""
    host = made()
    shared = host.head(torch.ones(1, 3, 8))
    host.give_each_agent_its_own_head()
    torch.testing.assert_close(host.head(torch.ones(1, 3, 8)), shared)
    assert isinstance(host.head, GaussianHead)
    biases = [one for one in host.head.spread.parameters() if one.numel()]
    assert [tuple(one.shape) for one in biases] == [(3, 2)]
    host.share_heads([0, 0, 1])
    torch.testing.assert_close(host.head(torch.ones(1, 3, 8)), shared)
    grouped = made(parameters=(0, 1, 1))
    assert isinstance(grouped.head, GaussianHead)
    biases = [one for one in grouped.head.spread.parameters() if one.numel()]
    assert [tuple(one.shape) for one in biases] == [(2, 2)]


@pytest.mark.parametrize("body", ["mlp", "gru"])
@pytest.mark.parametrize("bounds", ["clip", "tanh"])
def test_before_the_first_step_the_ratio_is_one(bounds: Bounds, body: str) -> None:
    """What was drawn has the density that the host says it has, memory and all: the loss is minus
    the mean advantage, which is 0.
    """
    host = made(body=body)
    rollout = played(host, bounds)
    policy = policy_of(host, bounds)
    known = host._known(rollout, policy, _context())
    scores = host._unrolled(rollout.observations)
    seen = rollout.observations
    again = log_of_chosen(scores, seen, rollout.actions, policy, rollout.progress)
    torch.testing.assert_close(again, known.old_log_policy)
    step_by_step = []
    memory = host.initial_memory(rollout.actions.shape[1])
    for step in range(len(rollout.actions)):
        now = seen.map(itemgetter(step))
        found, memory = host.scores(now, memory)
        densities = policy.densities(found, rollout.progress)
        step_by_step.append(densities.log_density(rollout.actions[step]))
    torch.testing.assert_close(torch.stack(step_by_step), again, rtol=1e-4, atol=1e-4)


def _context() -> Any:
    class Context:
        ranks = SingleRank()
        evaluate = staticmethod(eagerly)
        loss_of = staticmethod(eagerly)

    return Context()


@settings(max_examples=10, deadline=None)
@given(st.sampled_from(["clip", "tanh"]), st.sampled_from(["mlp", "gru"]))
def test_a_step_raises_the_density_of_what_paid(bounds: Bounds, body: str) -> None:
    """By the derivative along the loss's gradient; and the gradient reaches means and spreads."""
    host = made(body=body)
    rollout = played(host, bounds)
    policy = policy_of(host, bounds)
    first = next(host.losses(rollout, policy, _context()))
    head = [one for one in host.head.parameters() if one.numel()]
    gradients = torch.autograd.grad(first.total, head, retain_graph=True)
    assert all(float(one.abs().max()) > 0 for one in gradients)
    advantages = host._known(rollout, policy, _context()).advantages
    seen = rollout.observations

    def paid() -> Tensor:
        scores = host._unrolled(seen)
        chosen = log_of_chosen(scores, seen, rollout.actions, policy, rollout.progress)
        return (chosen * advantages).mean()

    with torch.no_grad():
        before = float(paid())
        for parameter, gradient in zip(head, gradients, strict=True):
            parameter.sub_(1e-3 * gradient)
        assert float(paid()) > before


def test_the_bonus_widens_the_policy() -> None:
    """With all advantages taken out, a step raises the mean entropy."""
    host = made()
    rollout = played(host, "clip")
    flat = replace(rollout, reward=torch.zeros_like(rollout.reward))
    policy = Gaussian(GaussianConfig(coefficient=100.0), _spec())
    loss = next(host.losses(flat, policy, _context()))
    assert isinstance(host.head, GaussianHead)
    (bias,) = [one for one in host.head.spread.parameters() if one.numel()]
    (gradient,) = torch.autograd.grad(loss.total, [bias])
    assert (gradient < 0).all()


def test_the_environment_gets_what_lies_in_the_box_and_the_host_what_was_drawn() -> (
    None
):
    environment = Targets(
        TargetsConfig(), games=8, device="cpu", generator=torch.Generator()
    )
    host = MAPPO(
        MAPPOConfig(hidden=8, initial_std=2.5),
        environment.spec,
        torch.Generator().manual_seed(0),
    )
    team = CoupledExploration(Gaussian(spec=environment.spec))
    collector = Collector(environment, torch.Generator().manual_seed(0))
    rollout = collector.collect(host, team, Progress())
    got = torch.stack(environment.got)
    low, high = Targets.BOX.bounds(got)
    assert ((got >= low) & (got <= high)).all()
    assert ((rollout.actions < low) | (rollout.actions > high)).any()
    assert torch.equal(Targets.BOX.clipped(rollout.actions), got)


def test_the_dead_do_nothing() -> None:
    """As far as the box allows it: here 0 lies in both of its numbers."""
    host = made(initial_std=2.5)
    rollout = played(host, "clip", mortal=True, steps=6, games=30)
    alive = rollout.observations.alive
    assert alive is not None
    dead = ~alive & rollout.valid.unsqueeze(-1)
    assert dead.any()
    assert (rollout.actions[dead] == 0).all()
    assert (rollout.actions[alive] != 0).any()


@pytest.mark.parametrize("level", ["episode", "step"])
def test_resonance_holds_for_an_episode_or_a_step(level: str, tmp_path: Path) -> None:
    """Trained in two stages, with own heads in the second, interrupted, and acted by."""
    resonant = {
        "name": "policy_resonance",
        "level": level,
        "variant": "pr_fast",
        "ramp_episodes": 32,
    }
    stages = [{"episodes": 64}, {"episodes": 64, "exploration": resonant}]
    run = run_of(stages=stages)
    folder = RunFolder(tmp_path / level)
    folder.create(run)
    go_on(folder)
    policy = load(folder.path).policy()
    games = policy.make_environment(games=3)
    seen = games.reset()
    first = policy(seen)
    low, high = Targets.BOX.bounds(first)
    assert first.shape == (3, 3, 2)
    assert ((first >= low) & (first <= high)).all()
    policy.begin()
    assert torch.equal(policy(seen), first)
    text = folder.metrics.read_text()
    assert "coupling/in resonance" in text


def test_a_loaded_policy_stays_in_the_box(tmp_path: Path) -> None:
    """Also where it draws, from a policy that is much wider than the box."""
    folder = RunFolder(tmp_path / "run")
    host = {"name": "mappo", "hidden": 8, "epochs": 1, "initial_std": 2.5}
    folder.create(run_of(host=host, stages=[{"episodes": 32}]))
    go_on(folder)
    policy = load(folder.path).policy(mode="sampled")
    seen = policy.make_environment(games=20).reset()
    drawn = policy(seen)
    low, high = Targets.BOX.bounds(drawn)
    assert ((drawn >= low) & (drawn <= high)).all()
    assert ((drawn == low) | (drawn == high)).any()


def test_an_interrupted_run_ends_as_if_it_had_never_been(tmp_path: Path) -> None:
    from tests.support.resuming import interrupted
    from tests.support.runs import start

    data = run_of().model_dump(mode="json")
    whole = start(tmp_path / "whole", data)
    go_on(whole)
    crash = (Learner, "training_step", 2, True)
    parts = interrupted(tmp_path / "parts", data, crash)
    assert differences(outcome(parts), outcome(whole)) == []


def test_a_greedy_team_takes_its_means() -> None:
    host = made()
    environment = Targets(
        TargetsConfig(), games=4, device="cpu", generator=torch.Generator()
    )
    policy = Gaussian(spec=environment.spec)
    team = CoupledExploration(policy, Greedy())
    collector = Collector(environment, torch.Generator().manual_seed(0))
    rollout = collector.collect(host, team, Progress())
    scores, _ = host.scores(rollout.observations, {})
    expected = policy.densities(scores, Progress()).mode()
    torch.testing.assert_close(rollout.actions, expected)


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        (
            {"host": {"name": "ppo_ma"}, "exploration": {"name": "entropy_sampling"}},
            "host 'ppo_ma' takes discrete actions alone",
        ),
        (
            {"host": {"name": "qmix"}, "exploration": {"name": "epsilon_greedy"}},
            "host 'qmix' takes discrete actions alone",
        ),
        (
            {"exploration": {"name": "entropy_sampling"}},
            "'entropy_sampling' takes logits (actions are numbers in a box)",
        ),
        (
            {"environment": {"name": HERE, "beside_a_box": 4}},
            "has a box of actions, and discrete actions",
        ),
        (
            {"environment": {"name": "fme", "agents": 3, "tag": "1A1B1C"}},
            "host 'mappo' gives logits, but exploration 'gaussian' takes gaussian",
        ),
        (
            {
                "exploration": {
                    "name": "tests.support.wide_laws:Queue",
                    "individual": {"name": "gaussian"},
                }
            },
            "couples discrete actions alone",
        ),
    ],
)
def test_what_does_not_fit_is_refused_in_a_line(
    parts: dict[str, Any], said: str
) -> None:
    with pytest.raises(UserError) as caught:
        first_state(run_of(**parts))
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_what_has_no_table_says_so(tmp_path: Path) -> None:
    """No page of probabilities, no program of logits, no table of a density."""
    folder = RunFolder(tmp_path / "run")
    run = run_of(stages=[{"episodes": 32}])
    folder.create(run)
    train(run, folder, Watchers(progress_bar=False))
    from marl_core.export.export import export_run
    from marl_core.rendering.render import render_run

    with pytest.raises(UserError, match="cannot be exported yet"):
        export_run(folder, tmp_path / "team.pt2")
    with pytest.raises(UserError, match="cannot be shown yet"):
        render_run(folder, tmp_path / "page.html")
    with pytest.raises(UserError, match="no table of actions"):
        Gaussian().log_policy(torch.zeros(1, 1, 2), None, Progress())


@pytest.mark.slow
@pytest.mark.parametrize(
    ("body", "seen_once", "bounds", "least"),
    [
        ("mlp", False, "clip", 0.9),
        ("mlp", False, "tanh", 0.9),
        ("gru", True, "clip", 0.8),
    ],
)
def test_targets_are_learnt(
    body: str, bounds: str, least: float, tmp_path: Path, *, seen_once: bool
) -> None:
    """Of 3 steps at a point each; the centre earns 2 of them, and memory is needed where the target
    is shown once.
    """
    run = run_of(
        environment={"name": HERE, "seen_once": seen_once},
        host={
            "name": "mappo",
            "hidden": 32,
            "body": body,
            "critic": "own",
            "learning_rate": 3e-3,
        },
        exploration={"name": "gaussian", "bounds": bounds},
        stages=[{"episodes": 64 * 80}],
        training={
            "episodes_per_update": 64,
            "evaluation_episodes": 128,
            "threads": 1,
            "tensorboard": False,
        },
    )
    folder = RunFolder(tmp_path / "run")
    folder.create(run)
    result = train(run, folder, Watchers(progress_bar=False))
    assert result is not None
    assert result.team_return.greedy.mean > 3 * least
