"""The team at moments of its training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int

from marl_core.joint_policy import JointPolicy
from marl_core.rendering import Episode
from marl_envs.fme.config import FMEConfig
from marl_envs.fme.rewards import LevelTable

#: A page holds at most this number of probabilities, and a film this number of pictures. Where more
#: policies were kept, some are left out.
MOST_PROBABILITIES = 600_000
MOST_PICTURES = 240


@dataclass(frozen=True)
class Snapshot:
    """The team after some episodes of training.

    Attributes:
        episodes: how many episodes it had been trained.
        policies: of all agents at all levels.
        greedy: everybody's likeliest action.
        rewards: the exact expected reward of these actions at each level.
    """

    episodes: int
    policies: Float[np.ndarray, "L N A"]
    greedy: Int[np.ndarray, "L N"]
    rewards: Float[np.ndarray, "L"]

    @property
    def counts(self) -> Int[np.ndarray, "L A"]:
        """How many agents have each action as their likeliest one."""
        actions = np.arange(self.policies.shape[-1])
        chosen = self.greedy[..., None] == actions
        return chosen.sum(axis=1)


class SnapshotMaker:
    """Makes snapshots of the teams of one environment.

    Args:
        config: of the environment.
    """

    def __init__(self, config: FMEConfig) -> None:
        self._table = LevelTable.build(
            config.resolved_levels(),
            config.agents,
            config.actions,
            "cpu",
        )

    def of_episode(self, episode: Episode) -> list[Snapshot]:
        """The policies that the run has kept, and after them those of the episode itself.

        Args:
            episode: of FME.
        """
        now = episode.progress.episodes
        snapshots: list[Snapshot] = []
        for episodes, policies in episode.history:
            if episodes < now:
                snapshots.append(self._snapshot(episodes, policies))
        newest = episode.policies.float().numpy()
        snapshots.append(self._snapshot(now, newest))
        return snapshots

    def _snapshot(
        self,
        episodes: int,
        policies: Float[np.ndarray, "L N A"],
    ) -> Snapshot:
        greedy = policies.argmax(-1)
        actions = policies.shape[-1]
        joint = JointPolicy.deterministic(torch.from_numpy(greedy), actions)
        return Snapshot(
            episodes=episodes,
            policies=policies,
            greedy=greedy,
            rewards=self._table.expected(joint).numpy(),
        )


def thinned(snapshots: Sequence[Snapshot]) -> list[Snapshot]:
    """As many of the snapshots as a page or a film has room for, among them the first and the last.

    Args:
        snapshots: in the order of training.
    """
    room = MOST_PROBABILITIES // snapshots[0].policies.size
    most = max(2, min(MOST_PICTURES, room))
    if len(snapshots) <= most:
        return list(snapshots)
    evenly = np.linspace(0, len(snapshots) - 1, most)
    return [snapshots[index] for index in evenly.round().astype(int)]
