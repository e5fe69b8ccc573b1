"""What this project itself registers, whatever else is installed beside it."""

from __future__ import annotations

from importlib.metadata import entry_points

from marl_core.base_config import Kind
from marl_core.registry import GROUPS

_PACKAGES = ("marl_core", "marl_envs", "marl_pr")


def own_names(kind: Kind) -> list[str]:
    """The names of a kind that stand for classes of this project, sorted."""
    entries = entry_points(group=GROUPS[kind])
    return sorted(
        entry.name
        for entry in entries
        if entry.value.partition(":")[0].partition(".")[0] in _PACKAGES
    )
