"""Closed forms of expected rewards against play."""

from __future__ import annotations

import torch
from torch import Tensor

from marl_core.abilities import HasExactReward
from marl_core.collection.episodes import games_of
from marl_core.joint_policy import JointPolicy, draw_components
from marl_core.observation_table import table_of
from marl_core.protocols import Environment
from marl_core.testing.checking import SIGMAS
from marl_core.testing.play import EnvironmentCase

#: Episodes played for each joint policy.
GAMES = 4000


def expected_rewards_agree_with_play(case: EnvironmentCase) -> None:
    """The closed form of each level's reward is the mean of what a team earns there, for any joint
    policy.
    """
    if not isinstance(case.build(1, 0), HasExactReward):
        return

    environment, choice = case.build(GAMES, 0), case.generator(1)
    assert isinstance(environment, HasExactReward)
    for preferred in range(min(environment.spec.actions, 16)):
        joint = _joint_policy(environment, preferred, choice)
        exact = environment.expected_rewards(joint)
        assert exact.shape == (len(environment.spec.levels),), (
            f"expected_rewards has shape {tuple(exact.shape)}"
        )
        sampled = _rewards_by_level(environment, joint, choice)
        error = sampled.std(0) / GAMES**0.5
        off = (sampled.mean(0) - exact).abs()
        assert (off <= SIGMAS * error + 1e-4).all(), (
            f"expected_rewards says {exact.tolist()}, play says {sampled.mean(0).tolist()}"
        )


def _joint_policy(
    environment: Environment, preferred: int, choice: torch.Generator
) -> JointPolicy:
    """A mixture of two teams, in both of which agents like one action best: what happens together
    must show.
    """
    spec, table = environment.spec, table_of(environment)
    assert table is not None, "expected_rewards needs distinct_observations"
    assert spec.table_rows is not None
    scores = torch.randn(
        (2, spec.table_rows, spec.agents, spec.actions),
        generator=choice,
        device=choice.device,
    )
    scores[0, ..., preferred] += 1.0
    scores[1, ..., preferred] += 5.0
    legal = table.legal_actions()
    components = (
        scores if legal is None else scores.masked_fill(~legal, -1e9)
    ).softmax(-1)
    weights = torch.tensor([0.6, 0.4], device=choice.device)
    return JointPolicy(
        torch.tensordot(weights, components, dims=1), components, weights
    )


def _rewards_by_level(
    environment: Environment, joint: JointPolicy, choice: torch.Generator
) -> Tensor:
    """What each game earned at each level in one episode, ``[E, L]``."""
    seen, sampler = environment.reset(), joint.sampler()
    games = games_of(seen)
    component = draw_components(joint.weights, games, choice)
    earned = torch.zeros(
        games, len(environment.spec.levels), dtype=torch.float64, device=choice.device
    )
    on = torch.ones(games, dtype=torch.bool, device=choice.device)
    for _ in range(environment.spec.max_steps):
        result = environment.step(sampler.draw(component, choice, seen.row))
        assert result.level is not None, (
            "an environment with expected_rewards must say the level of each step"
        )
        reward = torch.where(on, result.team_reward, 0.0).double()
        earned.scatter_add_(1, result.level.unsqueeze(-1), reward.unsqueeze(-1))
        on, seen = on & ~result.ended, result.observation
    return earned
