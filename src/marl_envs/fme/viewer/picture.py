"""A picture of the levels: who does what, over training, at a moment of it, and in an episode."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from marl_core.rendering import Episode
from marl_core.rendering.figure_text import figure_text
from marl_envs.fme.config import FMEConfig, LevelConfig
from marl_envs.fme.viewer.levels import colours, describe, rewarded, stacking_order
from marl_envs.fme.viewer.snapshots import Snapshot


@dataclass(frozen=True)
class Picture:
    """What is drawn.

    Attributes:
        config: of the environment.
        episode: of FME.
        snapshots: all that there are, in the order of training.
        now: the one whose policies are shown.
    """

    config: FMEConfig
    episode: Episode
    snapshots: Sequence[Snapshot]
    now: Snapshot

    def draw(self, figure: Figure) -> None:
        """Draw a row for each level.

        Args:
            figure: where to draw.
        """
        levels = self.config.resolved_levels()
        axes = figure.subplots(
            len(levels),
            3,
            squeeze=False,
            sharex="col",
            width_ratios=(3, 3, 2.4),
        )
        for row, level in enumerate(levels):
            shares, policies, taken = axes[row]
            self._label(shares, level, row)
            self._draw_shares(shares, level, row)
            self._draw_policies(policies, level, row)
            self._draw_episode(taken, level, row)
            self._note(policies, taken, row)
        self._name_columns(list(axes[0]), list(axes[-1]))
        figure.suptitle(figure_text(f"FME · {self.episode.title}"))

    def _label(
        self,
        axis: Axes,
        level: LevelConfig,
        row: int,
    ) -> None:
        """Write the name of a level beside its row."""
        name = self.episode.spec.levels[row].name
        axis.set_ylabel(
            figure_text(f"{name}\n{describe(level)}"),
            rotation=0,
            ha="right",
            va="center",
            fontsize="small",
        )

    def _draw_shares(
        self,
        axis: Axes,
        level: LevelConfig,
        row: int,
    ) -> None:
        """Draw the share of agents that have each action as their likeliest one, over training."""
        episodes = [snapshot.episodes for snapshot in self.snapshots]
        if len(episodes) > 1:
            self._draw_stack(axis, level, row, episodes)
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

    def _draw_stack(
        self,
        axis: Axes,
        level: LevelConfig,
        row: int,
        episodes: list[int],
    ) -> None:
        counts = [snapshot.counts[row] for snapshot in self.snapshots]
        shares = np.stack(counts, axis=1) / self.config.agents
        order = stacking_order(level, self.config.actions)
        axis.stackplot(
            episodes,
            shares[order],
            colors=colours(level, self.config.actions),
            linewidth=0,
        )
        axis.axvline(self.now.episodes, color="black", linewidth=1)
        axis.set_xlim(episodes[0], episodes[-1])

    def _draw_policies(
        self,
        axis: Axes,
        level: LevelConfig,
        row: int,
    ) -> None:
        """Draw the policies of all agents: darker where an action is more probable."""
        policies: Float[np.ndarray, "N A"] = self.now.policies[row]
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
        self,
        axis: Axes,
        level: LevelConfig,
        row: int,
    ) -> None:
        """Draw what each agent did in the episode."""
        agents = self.config.agents
        axis.scatter(
            np.arange(agents),
            self.episode.actions[row].numpy(),
            s=min(16.0, 600 / agents),
            color="0.15",
            zorder=3,
        )
        axis.set(
            ylim=(-0.5, self.config.actions - 0.5),
            xlim=(-0.5, agents - 0.5),
        )
        _fill(axis, level)
        _mark(axis, level)

    def _note(
        self,
        policies: Axes,
        taken: Axes,
        row: int,
    ) -> None:
        """Write rewards above the pictures of a level, and the coupling of the team."""
        greedy = self.now.rewards[row]
        reward = f"reward {float(self.episode.team_reward[row]):.2f}"
        if self.episode.component_names:
            component = int(self.episode.component[row])
            reward = f"{self.episode.component_names[component]}, {reward}"
        _write_above(policies, f"reward of acting greedily {greedy:.2f}")
        _write_above(taken, reward)

    def _name_columns(
        self,
        top: Sequence[Axes],
        bottom: Sequence[Axes],
    ) -> None:
        heads = (
            "greedy actions: share of agents",
            f"policies after {self.now.episodes:,} episodes",
            "the episode",
        )
        for axis, head in zip(top, heads, strict=True):
            axis.set_title(head, fontsize="medium", loc="left", pad=14)
        feet = ("episodes of training", "agent", "agent")
        for axis, foot in zip(bottom, feet, strict=True):
            axis.set_xlabel(foot)


def _write_above(
    axis: Axes,
    text: str,
) -> None:
    """Write a few words above the right end of an axis."""
    axis.text(
        1,
        1.02,
        figure_text(text),
        fontsize="x-small",
        ha="right",
        va="bottom",
        transform=axis.transAxes,
    )


def _fill(
    axis: Axes,
    level: LevelConfig,
) -> None:
    """Colour the rewarded actions of an axis that has actions upwards."""
    for action, colour in zip(rewarded(level), colours(level, 0), strict=True):
        axis.axhspan(
            action - 0.5,
            action + 0.5,
            color=colour,
            alpha=0.3,
            linewidth=0,
        )


def _mark(
    axis: Axes,
    level: LevelConfig,
) -> None:
    """Point at the rewarded actions of an axis that has actions upwards."""
    for action, colour in zip(rewarded(level), colours(level, 0), strict=True):
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
