"""Watching who does what at each level, over training."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files
from typing import Any, final

import numpy as np
import torch
from jaxtyping import Float, Int
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from marl_core.joint_policy import JointPolicy
from marl_core.rendering import Episode, Viewer, html_page
from marl_envs.fme.config import FMEConfig, LevelConfig
from marl_envs.fme.rewards import LevelTable

#: So many probabilities a page holds at the most, and so many pictures a film; where more were kept, every k-th.
MOST_PROBABILITIES = 600_000
MOST_PICTURES = 240
#: Rewarded actions, best first, by the kind of level; all others are grey.
_COLOURS = {
    "A": ("#009e73",),
    "B": ("#0072b2", "#6aaed6", "#b5d4e9"),
    "C": ("#d55e00",),
}
_GREYS = ("#c9cdd4", "#dfe2e7")


@dataclass(frozen=True)
class Snapshot:
    """The team after some episodes of training: all policies, and the exact reward of acting greedily by them."""

    episodes: int
    policies: Float[np.ndarray, "L N A"]
    greedy: Int[np.ndarray, "L N"]
    rewards: Float[np.ndarray, "L"]

    @property
    def counts(self) -> Int[np.ndarray, "L A"]:
        """How many agents' greedy action each action is."""
        actions = np.arange(self.policies.shape[-1])
        return (self.greedy[..., None] == actions).sum(axis=1)


def rewarded(level: LevelConfig) -> tuple[int, ...]:
    """The actions that are ever rewarded at a level, the best one first."""
    if level.kind != "B":
        return (level.action,)
    ranked = sorted(
        zip(level.probabilities, level.arms, strict=True),
        key=lambda arm: (-arm[0], arm[1]),
    )
    return tuple(arm for probability, arm in ranked if probability > 0)


def describe(level: LevelConfig) -> str:
    """What a level asks of the team."""
    match level.kind:
        case "A":
            return f"all take {level.action}"
        case "B":
            return f"all take {rewarded(level)[0]}"
        case "C":
            return f"all but one take {level.action}"


@final
class LevelViewer(Viewer):
    """Three pictures for each level: greedy actions over training, every policy at a moment of it, and an episode."""

    def __init__(self, config: FMEConfig) -> None:
        self._config = config
        self._levels = config.resolved_levels()
        self._table = LevelTable.build(
            self._levels, config.agents, config.actions, "cpu"
        )

    def snapshots(self, episode: Episode) -> list[Snapshot]:
        """The kept policies, and behind them those of the episode itself."""
        now = episode.progress.episodes
        kept = [
            (episodes, policies)
            for episodes, policies in episode.history
            if episodes < now
        ]
        return [
            self._snapshot(*taken)
            for taken in [*kept, (now, episode.policies.float().numpy())]
        ]

    def shown(self, episode: Episode) -> list[Snapshot]:
        """As many of the snapshots as a page or a film has room for, the first and the last among them."""
        snapshots = self.snapshots(episode)
        most = max(
            2, min(MOST_PICTURES, MOST_PROBABILITIES // snapshots[0].policies.size)
        )
        if len(snapshots) <= most:
            return snapshots
        return [
            snapshots[i]
            for i in np.linspace(0, len(snapshots) - 1, most).round().astype(int)
        ]

    def page(self, episode: Episode) -> str:
        """All levels, with time being that of training."""
        content = (
            files("marl_envs.fme").joinpath("viewer.html").read_text(encoding="utf-8")
        )
        return html_page(f"FME · {episode.title}", content, self.data(episode))

    def data(self, episode: Episode) -> dict[str, Any]:
        """What the page is made of; probabilities are in thousandths, to be short."""
        everything, shown = self.snapshots(episode), self.shown(episode)
        levels = [
            {
                "name": named.name,
                "kind": level.kind,
                "rewarded": rewarded(level),
                "asks": describe(level),
            }
            for named, level in zip(episode.spec.levels, self._levels, strict=True)
        ]
        return {
            "agents": self._config.agents,
            "actions": self._config.actions,
            "levels": levels,
            "recorded": bool(episode.history),
            "curve": {
                "episodes": [snapshot.episodes for snapshot in everything],
                "counts": [snapshot.counts.tolist() for snapshot in everything],
            },
            "snapshots": {
                "episodes": [snapshot.episodes for snapshot in shown],
                "rewards": [
                    [round(reward, 4) for reward in snapshot.rewards.tolist()]
                    for snapshot in shown
                ],
                "policies": [
                    (snapshot.policies.reshape(len(levels), -1) * 1000)
                    .round()
                    .astype(int)
                    .tolist()
                    for snapshot in shown
                ],
            },
            "taken": episode.actions.tolist(),
            "earned": [round(reward, 4) for reward in episode.team_reward.tolist()],
            "component": episode.component.tolist(),
            "component_names": episode.component_names,
        }

    def frames(self, episode: Episode) -> int:
        """One for each snapshot that is shown."""
        return len(self.shown(episode))

    @property
    def size(self) -> tuple[float, float]:
        """A row for each level."""
        return 10.0, 1.0 + len(self._levels)

    def draw(self, figure: Figure, episode: Episode, frame: int) -> None:
        """The levels as rows."""
        everything, snapshot = self.snapshots(episode), self.shown(episode)[frame]
        axes = figure.subplots(
            len(self._levels), 3, squeeze=False, sharex="col", width_ratios=(3, 3, 2.4)
        )
        for row, (level, named) in enumerate(
            zip(self._levels, episode.spec.levels, strict=True)
        ):
            shares, policies, taken = axes[row]
            shares.set_ylabel(
                f"{named.name}\n{describe(level)}",
                rotation=0,
                ha="right",
                va="center",
                fontsize="small",
            )
            self._draw_shares(shares, level, row, everything, snapshot)
            self._draw_policies(policies, level, snapshot.policies[row])
            self._draw_episode(taken, level, episode, row)
            _note(policies, f"reward of acting greedily {snapshot.rewards[row]:.2f}")
            coupled = (
                f"{episode.component_names[int(episode.component[row])]}, "
                if episode.component_names
                else ""
            )
            _note(taken, f"{coupled}reward {float(episode.team_reward[row]):.2f}")
        for axis, name in zip(
            axes[-1], ("episodes of training", "agent", "agent"), strict=True
        ):
            axis.set_xlabel(name)
        heads = (
            "greedy actions: share of agents",
            f"policies after {snapshot.episodes:,} episodes",
            "the episode",
        )
        for axis, name in zip(axes[0], heads, strict=True):
            axis.set_title(name, fontsize="medium", loc="left", pad=14)
        figure.suptitle(f"FME · {episode.title}")

    def _draw_shares(
        self,
        axis: Axes,
        level: LevelConfig,
        row: int,
        everything: list[Snapshot],
        now: Snapshot,
    ) -> None:
        order, colours = _stack(level, self._config.actions)
        episodes = [snapshot.episodes for snapshot in everything]
        shares = (
            np.stack([snapshot.counts[row] for snapshot in everything], axis=1)
            / self._config.agents
        )
        if len(episodes) > 1:
            axis.stackplot(episodes, shares[order], colors=colours, linewidth=0)
            axis.axvline(now.episodes, color="black", linewidth=1)
            axis.set_xlim(episodes[0], episodes[-1])
        else:
            axis.text(
                0.5,
                0.5,
                "not recorded",
                ha="center",
                va="center",
                color="0.5",
                transform=axis.transAxes,
            )
            axis.set_xticks([])
        axis.set(ylim=(0, 1), yticks=[0, 1])

    def _draw_policies(
        self, axis: Axes, level: LevelConfig, policies: Float[np.ndarray, "N A"]
    ) -> None:
        axis.imshow(
            policies.T,
            origin="lower",
            aspect="auto",
            cmap="Blues",
            vmin=0,
            vmax=1,
            interpolation="nearest",
        )
        _mark(axis, level)

    def _draw_episode(
        self, axis: Axes, level: LevelConfig, episode: Episode, row: int
    ) -> None:
        agents = self._config.agents
        axis.scatter(
            np.arange(agents),
            episode.actions[row].numpy(),
            s=min(16.0, 600 / agents),
            color="0.15",
            zorder=3,
        )
        axis.set(ylim=(-0.5, self._config.actions - 0.5), xlim=(-0.5, agents - 0.5))
        _mark(axis, level, filled=True)

    def _snapshot(
        self, episodes: int, policies: Float[np.ndarray, "L N A"]
    ) -> Snapshot:
        greedy = policies.argmax(-1)
        joint = JointPolicy.deterministic(torch.from_numpy(greedy), policies.shape[-1])
        return Snapshot(episodes, policies, greedy, self._table.expected(joint).numpy())


def _stack(level: LevelConfig, actions: int) -> tuple[list[int], list[str]]:
    """Actions from the bottom of a stack to its top, and their colours."""
    best = rewarded(level)
    others = [action for action in range(actions) if action not in best]
    colours = [
        _COLOURS[level.kind][min(i, len(_COLOURS[level.kind]) - 1)]
        for i in range(len(best))
    ]
    return [*best, *others], [*colours, *(_GREYS[i % 2] for i in range(len(others)))]


def _note(axis: Axes, text: str) -> None:
    """A few words above the right end of an axis."""
    axis.text(
        1,
        1.02,
        text,
        fontsize="x-small",
        ha="right",
        va="bottom",
        transform=axis.transAxes,
    )


def _mark(axis: Axes, level: LevelConfig, *, filled: bool = False) -> None:
    """Mark the rewarded actions of an axis that has actions upwards."""
    order, colours = _stack(level, 0)
    for action, colour in zip(order, colours, strict=True):
        if filled:
            axis.axhspan(
                action - 0.5, action + 0.5, color=colour, alpha=0.3, linewidth=0
            )
        axis.plot(
            [0],
            [action],
            marker="<",
            color=colour,
            transform=axis.get_yaxis_transform(),
            clip_on=False,
            ms=4,
        )
    axis.set_yticks([])
