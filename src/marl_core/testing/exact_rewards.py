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
from marl_core.testing.verdicts import NotApplicableError

#: Episodes played for each joint policy.
GAMES = 4000
#: At most this number of actions is preferred, each by one joint policy.
_MOST_ACTIONS = 16


def expected_rewards_agree_with_play(case: EnvironmentCase) -> None:
    """The closed form of each level's reward is the mean of what a team earns there.

    It is so for any joint policy.

    Why:
        It is reported as the exact return.

    Broken by:
        Agents taken for independent: under resonance they are not.

    Args:
        case: the environment to check.
    """
    if not isinstance(case.build(1, 0), HasExactReward):
        raise NotApplicableError("it has no expected_rewards")
    environment = case.build(GAMES, 0)
    choice = case.generator(1)
    assert isinstance(environment, HasExactReward)
    levels = len(environment.spec.levels)
    for preferred in range(min(environment.spec.actions, _MOST_ACTIONS)):
        joint = _joint_policy(environment, preferred, choice)
        exact = environment.expected_rewards(joint)
        shape = tuple(exact.shape)
        assert shape == (levels,), f"expected_rewards has shape {shape}"
        sampled = _rewards_by_level(environment, joint, choice)
        mean = sampled.mean(0)
        error = sampled.std(0) / GAMES**0.5
        off = (mean - exact).abs()
        assert (off <= SIGMAS * error + 1e-4).all(), (
            f"expected_rewards says {exact.tolist()}, play says {mean.tolist()}"
        )


def _joint_policy(
    environment: Environment,
    preferred: int,
    choice: torch.Generator,
) -> JointPolicy:
    """A mixture of two teams, in both of which agents like one action best.

    So what happens together shows in the reward.
    """
    spec = environment.spec
    table = table_of(environment)
    assert table is not None, "expected_rewards needs distinct_observations"
    assert spec.table_rows is not None
    shape = (2, spec.table_rows, spec.agents, spec.actions)
    scores = torch.randn(
        shape,
        generator=choice,
        device=choice.device,
    )
    scores[0, ..., preferred] += 1.0
    scores[1, ..., preferred] += 5.0
    legal = table.legal_actions()
    if legal is not None:
        scores = scores.masked_fill(~legal, -1e9)
    components = scores.softmax(-1)
    weights = torch.tensor([0.6, 0.4], device=choice.device)
    individual = torch.tensordot(weights, components, dims=1)
    return JointPolicy(individual, components, weights)


def _rewards_by_level(
    environment: Environment,
    joint: JointPolicy,
    choice: torch.Generator,
) -> Tensor:
    """What each game earned at each level in one episode, ``[E, L]``."""
    seen = environment.reset()
    sampler = joint.sampler()
    games = games_of(seen)
    component = draw_components(joint.weights, games, choice)
    shape = (games, len(environment.spec.levels))
    earned = torch.zeros(
        shape,
        dtype=torch.float64,
        device=choice.device,
    )
    on = torch.ones(
        games,
        dtype=torch.bool,
        device=choice.device,
    )
    for _ in range(environment.spec.max_steps):
        result = environment.step(
            sampler.draw(
                component,
                choice,
                seen.row,
            )
        )
        level = result.level
        assert level is not None, (
            "an environment with expected_rewards must say the level of each step"
        )
        reward = torch.where(
            on,
            result.team_reward,
            0.0,
        ).double()
        earned.scatter_add_(
            1,
            level.unsqueeze(-1),
            reward.unsqueeze(-1),
        )
        on = on & ~result.ended
        seen = result.observation
    return earned
