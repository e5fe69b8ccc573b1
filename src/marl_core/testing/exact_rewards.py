"""Closed forms of expected rewards against play."""

from __future__ import annotations

from dataclasses import replace

import torch
from hypothesis import strategies as st
from torch import Tensor

from marl_core.joint_policy import JointPolicy, draw_components
from marl_core.protocols import Environment, HasExactReward
from marl_core.testing.checking import SIGMAS, for_all
from marl_core.testing.play import EnvironmentCase, games_of
from marl_core.testing.strategies import seeds


def expected_rewards_agree_with_play(case: EnvironmentCase) -> None:
    """The closed form of each level's reward is the mean of what a team earns there, for any joint policy."""
    if not isinstance(case.build(1, 0), HasExactReward):
        return

    @for_all(4, seed=seeds(), components=st.integers(1, 2))
    def check(seed: int, components: int) -> None:
        games = 4000
        environment, choice = case.build(games, seed), case.generator(seed + 1)
        assert isinstance(environment, HasExactReward)
        joint = _random_joint_policy(environment, components, choice)
        exact = environment.expected_rewards(joint)
        assert exact.shape == (len(environment.spec.levels),), f"expected_rewards has shape {tuple(exact.shape)}"
        sampled = _rewards_by_level(environment, joint, choice)
        error = sampled.std(0) / games**0.5
        off = (sampled.mean(0) - exact).abs()
        assert (off <= SIGMAS * error + 1e-4).all(), (
            f"expected_rewards says {exact.tolist()}, play says {sampled.mean(0).tolist()}"
        )


def _random_joint_policy(environment: Environment, components: int, choice: torch.Generator) -> JointPolicy:
    """A policy for each row of the table that is neither uniform nor nearly deterministic."""
    spec, table = environment.spec, environment.distinct_observations
    assert table is not None, "expected_rewards needs distinct_observations"
    assert spec.situations is not None
    shape = (components, spec.situations, spec.agents, spec.actions)
    scores = 2 * torch.randn(shape, generator=choice, device=choice.device)
    legal = table.legal_actions()
    policies = (scores if legal is None else scores.masked_fill(~legal, -1e9)).softmax(-1)
    weights = torch.tensor([0.3, 0.7][:components], device=choice.device)
    joint = JointPolicy(policies[0], policies, weights / weights.sum())
    return replace(joint, individual=joint.marginal())


def _rewards_by_level(environment: Environment, joint: JointPolicy, choice: torch.Generator) -> Tensor:
    """What each game earned at each level in one episode, ``[E, L]``."""
    seen, sampler = environment.reset(), joint.sampler()
    games = games_of(seen)
    component = draw_components(joint.weights, games, choice)
    earned = torch.zeros(games, len(environment.spec.levels), dtype=torch.float64, device=choice.device)
    on = torch.ones(games, dtype=torch.bool, device=choice.device)
    for _ in range(environment.spec.max_steps):
        result = environment.step(sampler.draw(component, choice, seen.situation))
        assert result.level is not None, "an environment with expected_rewards must say the level of each step"
        reward = torch.where(on, result.team_reward, 0.0).double()
        earned.scatter_add_(1, result.level.unsqueeze(-1), reward.unsqueeze(-1))
        on, seen = on & ~(result.terminated | result.truncated), result.observation
    return earned
