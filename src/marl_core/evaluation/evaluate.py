"""Playing test episodes in which the team shares nothing: its coupling is taken out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from marl_core.abilities import Closes, HasExactReward
from marl_core.collection.collector import Collector
from marl_core.construction import build_environment
from marl_core.coupling.greedy import Greedy
from marl_core.coupling.independent import Independent
from marl_core.evaluation.checked_policy import checked
from marl_core.evaluation.scores import Evaluation, Score
from marl_core.evaluation.statistics import Interval, mean_interval, share_interval
from marl_core.exploration.coupled import CoupledExploration, joint_policy
from marl_core.joint_policy import JointPolicy
from marl_core.observation_table import table_of
from marl_core.protocols import Environment, IndividualPolicy
from marl_core.rng import generator
from marl_core.run_state import RunState
from marl_core.types import Level, Moment, Rollout

#: How a team acts when it is evaluated.
Mode = Literal["greedy", "sampled"]


def uncoupled(policy: IndividualPolicy, mode: Mode) -> CoupledExploration:
    """A team that acts by its individual policies alone.

    Args:
        policy: what each agent does on its own.
        mode: whether each agent takes its most probable action, or draws one.
    """
    coupling = Greedy() if mode == "greedy" else Independent()
    return CoupledExploration(policy, coupling)


def evaluate(
    state: RunState, episodes: int, device: torch.device | str = "cpu"
) -> Evaluation:
    """Play test episodes greedily, and as many sampled.

    The generators depend on the seed and the update alone: evaluating more often, or not at all,
    changes nothing else.

    Args:
        state: the run, as it is now.
        episodes: how many test episodes are played in each mode.
        device: where they are played.

    Raises:
        UserError: a score of the host is not finite.
    """
    greedy, greedy_rollout = _play(state, episodes, "greedy", device)
    sampled, sampled_rollout = _play(state, episodes, "sampled", device)
    rollouts: dict[Mode, Rollout] = {
        "greedy": greedy_rollout,
        "sampled": sampled_rollout,
    }
    exact = _exact_rewards(sampled, state)
    for environment in (greedy, sampled):
        if isinstance(environment, Closes):
            environment.close()
    returns = {mode: _returns(rollout) for mode, rollout in rollouts.items()}
    team_return = _score(None if exact is None else exact.sum(), returns)
    by_level = _level_scores(state.spec.levels, exact, rollouts)
    return Evaluation(team_return, by_level, episodes, _win_rate(rollouts))


def _play(
    state: RunState, episodes: int, mode: Mode, device: torch.device | str
) -> tuple[Environment, Rollout]:
    """Test episodes in one mode, and the environment that they were played in."""
    config = state.config
    updates = state.progress.updates
    play, act = (
        generator(device, config.seed, "evaluation", mode, part, updates)
        for part in ("play", "act")
    )
    environment = build_environment(
        config.environment, games=episodes, device=device, generator=play
    )
    collector = Collector(environment, act, use_table=config.training.use_table)
    policy = checked(state.exploration.individual)
    rollout = collector.collect(state.host, uncoupled(policy, mode), state.progress)
    policy.check()
    return environment, rollout


def _level_scores(
    levels: Sequence[Level], exact: Tensor | None, rollouts: Mapping[Mode, Rollout]
) -> tuple[tuple[Level, Score], ...]:
    """What is earned at each level, where the environment has levels."""
    if not levels:
        return ()
    rewards = {m: _level_rewards(r, len(levels)) for m, r in rollouts.items()}
    found = []
    for index, level in enumerate(levels):
        earned = {mode: reward[:, index] for mode, reward in rewards.items()}
        value = None if exact is None else exact[index]
        found.append((level, _score(value, earned)))
    return tuple(found)


def _returns(rollout: Rollout) -> Float[Tensor, "E"]:
    return (rollout.team_reward * rollout.valid).sum(0)


def _score(exact: Tensor | None, samples: Mapping[Mode, Tensor]) -> Score:
    return Score(
        None if exact is None else float(exact),
        mean_interval(samples["greedy"]),
        mean_interval(samples["sampled"]),
    )


def _win_rate(rollouts: dict[Mode, Rollout]) -> Score | None:
    """The share of episodes won, where games can be won."""
    shares: dict[Mode, Interval] = {}
    for mode, rollout in rollouts.items():
        if rollout.won is None:
            return None
        shares[mode] = share_interval((rollout.won & rollout.valid).any(0))
    return Score(None, shares["greedy"], shares["sampled"])


@torch.no_grad()
def _exact_rewards(environment: Environment, state: RunState) -> Tensor | None:
    """Expected reward of the greedy joint policy at each level, in closed form where there is
    one.
    """
    table = table_of(environment)
    if table is None or state.host.capabilities.memory:
        return None
    if not isinstance(environment, HasExactReward):
        return None
    scores, _ = state.host.scores(table, {})
    team = uncoupled(state.exploration.individual, "greedy")
    weights = team.coupling.weights(Moment(state.progress, scores.device))
    legal = table.legal_actions()
    joint = joint_policy(team, scores, legal, state.progress, weights)
    assert isinstance(joint, JointPolicy)
    return environment.expected_rewards(joint)


def _level_rewards(rollout: Rollout, levels: int) -> Float[Tensor, "E L"]:
    """The reward that each episode brought at each level."""
    assert rollout.level is not None
    earned = torch.zeros(rollout.level.shape[1], levels, device=rollout.level.device)
    return earned.scatter_add_(
        1, rollout.level.T, (rollout.team_reward * rollout.valid).T
    )
