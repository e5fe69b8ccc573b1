"""Playing test episodes without any shared randomness: resonance is taken out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, final

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from marl_core.collection.collector import Collector
from marl_core.config.named import ExplorationConfig
from marl_core.config.run import RunConfig
from marl_core.evaluation.statistics import Interval, mean_interval, share_interval
from marl_core.joint_policy import JointPolicy, greedy_actions
from marl_core.protocols import (
    Environment,
    ExplorationStrategy,
    HasExactReward,
    HostAlgorithm,
    Scores,
)
from marl_core.registry import build
from marl_core.rng import generator
from marl_core.types import Level, Progress, Rollout

Mode = Literal["greedy", "sampled"]


@final
class RawPolicy(ExplorationStrategy):
    """A strategy's individual policies, every agent for itself: greedy, or sampled."""

    Config = ExplorationConfig

    def __init__(self, strategy: ExplorationStrategy, mode: Mode = "sampled") -> None:
        self._strategy, self._mode = strategy, mode

    @property
    def accepts(self) -> frozenset[Scores]:
        """As the strategy itself."""
        return self._strategy.accepts

    def log_policy(
        self,
        scores: Float[Tensor, "*B N A"],
        legal: Bool[Tensor, "*B N A"] | None,
        progress: Progress,
    ) -> Float[Tensor, "*B N A"]:
        """The strategy's individual policy."""
        return self._strategy.log_policy(scores, legal, progress)

    def joint_policy(
        self,
        scores: Float[Tensor, "*B N A"],
        legal: Bool[Tensor, "*B N A"] | None,
        progress: Progress,
    ) -> JointPolicy:
        """Independent agents."""
        policy = self.log_policy(scores, legal, progress).exp()
        if self._mode == "sampled":
            return JointPolicy.independent(policy)
        return JointPolicy.deterministic(greedy_actions(policy), policy.shape[-1])


@dataclass(frozen=True)
class Score:
    """What a policy earns: exactly when greedy (None without a closed form), and in test episodes."""

    exact: float | None
    greedy: Interval
    sampled: Interval

    def as_json(self) -> dict[str, Any]:
        """As ``marl evaluate --json`` prints it."""
        return {
            "exact": self.exact,
            "greedy": self.greedy.as_json(),
            "sampled": self.sampled.as_json(),
        }


@dataclass(frozen=True)
class Evaluation:
    """The return and, where the environment has them, the reward of each level and the share of games won."""

    team_return: Score
    levels: tuple[tuple[Level, Score], ...]
    episodes: int
    win_rate: Score | None = None

    def as_json(self) -> dict[str, Any]:
        """The object that ``marl evaluate --json`` prints."""
        return {
            "return": self.team_return.as_json(),
            "levels": [
                {"name": level.name, "kind": level.kind, **score.as_json()}
                for level, score in self.levels
            ],
            "win_rate": None if self.win_rate is None else self.win_rate.as_json(),
            "episodes": self.episodes,
        }

    def scores(self) -> dict[str, Score]:
        """Every score by its name: the levels', the return, and the win rate where games can be won."""
        named = {level.name: score for level, score in self.levels} | {
            "return": self.team_return
        }
        return named if self.win_rate is None else named | {"win_rate": self.win_rate}

    def metrics(self) -> dict[str, float]:
        """The means by name, for logs."""
        found: dict[str, float] = {}
        for name, score in self.scores().items():
            if score.exact is not None:
                found[f"exact/{name}"] = score.exact
            found[f"greedy/{name}"] = score.greedy.mean
            found[f"sampled/{name}"] = score.sampled.mean
        return found


def evaluate(
    run: RunConfig,
    host: HostAlgorithm,
    exploration: ExplorationStrategy,
    progress: Progress,
    episodes: int,
    device: torch.device | str = "cpu",
) -> Evaluation:
    """Play ``episodes`` test episodes greedily and as many sampled.

    The generators depend on the seed and the update alone: evaluating more often, or not at all, changes nothing else.
    """
    rollouts: dict[Mode, Rollout] = {}
    modes: tuple[Mode, ...] = ("greedy", "sampled")
    for mode in modes:
        streams = [
            generator(device, run.seed, "evaluation", mode, part, progress.updates)
            for part in ("play", "act")
        ]
        environment: Environment = build(
            "environment",
            run.environment,
            games=episodes,
            device=device,
            generator=streams[0],
        )
        collector = Collector(environment, streams[1], use_table=run.training.use_table)
        rollouts[mode] = collector.collect(host, RawPolicy(exploration, mode), progress)
    levels = environment.spec.levels
    exact = _exact_rewards(environment, host, exploration, progress)
    returns = {
        mode: (rollout.team_reward * rollout.valid).sum(0)
        for mode, rollout in rollouts.items()
    }
    rewards = (
        {
            mode: _level_rewards(rollout, len(levels))
            for mode, rollout in rollouts.items()
        }
        if levels
        else {}
    )

    def score(exact_value: float | None, samples: dict[Mode, Tensor]) -> Score:
        return Score(
            exact_value,
            mean_interval(samples["greedy"]),
            mean_interval(samples["sampled"]),
        )

    return Evaluation(
        score(None if exact is None else float(exact.sum()), returns),
        tuple(
            (
                level,
                score(
                    None if exact is None else float(exact[i]),
                    {m: r[:, i] for m, r in rewards.items()},
                ),
            )
            for i, level in enumerate(levels)
        ),
        episodes,
        _win_rate(rollouts),
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
def _exact_rewards(
    environment: Environment,
    host: HostAlgorithm,
    exploration: ExplorationStrategy,
    progress: Progress,
) -> Tensor | None:
    """Expected reward of the greedy joint policy at each level, in closed form where there is one."""
    table = environment.distinct_observations
    if (
        not isinstance(environment, HasExactReward)
        or table is None
        or host.needs.memory
    ):
        return None
    scores, _ = host.scores(table, {})
    return environment.expected_rewards(
        RawPolicy(exploration, "greedy").joint_policy(
            scores, table.legal_actions(), progress
        )
    )


def _level_rewards(rollout: Rollout, levels: int) -> Float[Tensor, "E L"]:
    """The reward that each episode brought at each level."""
    assert rollout.level is not None
    earned = torch.zeros(rollout.level.shape[1], levels, device=rollout.level.device)
    return earned.scatter_add_(
        1, rollout.level.T, (rollout.team_reward * rollout.valid).T
    )
