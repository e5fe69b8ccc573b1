"""The data of the page of an episode."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.resources import files
from typing import Any

from marl_core.rendering import Episode
from marl_core.rendering.facts import run_facts
from marl_envs.fme.config import FMEConfig
from marl_envs.fme.viewer.levels import describe, rewarded
from marl_envs.fme.viewer.snapshots import Snapshot, thinned


def page_content() -> str:
    """The part of the page that shows the data: style, elements and program."""
    page = files("marl_envs.fme.viewer").joinpath("page.html")
    return page.read_text(encoding="utf-8")


def page_data(
    episode: Episode,
    config: FMEConfig,
    snapshots: Sequence[Snapshot],
) -> dict[str, Any]:
    """What the page shows. Probabilities are in thousandths, which takes less room.

    Args:
        episode: of FME.
        config: of the environment that it was played in.
        snapshots: all that there are, the last one being that of the episode.
    """
    return {
        "facts": run_facts(episode, config),
        "agents": config.agents,
        "actions": config.actions,
        "levels": _levels(episode, config),
        "recorded": bool(episode.history),
        "curve": {
            "episodes": [snapshot.episodes for snapshot in snapshots],
            "counts": [snapshot.counts.tolist() for snapshot in snapshots],
        },
        "snapshots": _policies(thinned(snapshots)),
        "taken": episode.actions.tolist(),
        "earned": _rounded(episode.team_reward.tolist()),
        "component": episode.component.tolist(),
        "component_names": episode.component_names,
    }


def _levels(
    episode: Episode,
    config: FMEConfig,
) -> list[dict[str, Any]]:
    levels: list[dict[str, Any]] = []
    for named, level in zip(
        episode.spec.levels,
        config.resolved_levels(),
        strict=True,
    ):
        levels.append(
            {
                "name": named.name,
                "kind": level.kind,
                "rewarded": rewarded(level),
                "asks": describe(level),
            }
        )
    return levels


def _policies(snapshots: Sequence[Snapshot]) -> dict[str, Any]:
    """Policies and rewards over training."""
    return {
        "episodes": [snapshot.episodes for snapshot in snapshots],
        "rewards": [_rounded(snapshot.rewards.tolist()) for snapshot in snapshots],
        "policies": [_thousandths(snapshot) for snapshot in snapshots],
    }


def _thousandths(snapshot: Snapshot) -> list[list[int]]:
    """For each level one list: the probabilities of agent 0, then those of agent 1, and so on."""
    levels = len(snapshot.policies)
    probabilities = snapshot.policies.reshape(levels, -1)
    return (probabilities * 1000).round().astype(int).tolist()


def _rounded(rewards: Sequence[float]) -> list[float]:
    return [round(reward, 4) for reward in rewards]
