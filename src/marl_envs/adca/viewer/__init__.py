"""Watching battles: a page to play with, pictures and films."""

from marl_envs.adca.viewer.field import HALF, SHADES, shading
from marl_envs.adca.viewer.shots import (
    SHOTS_SEEN_FOR,
    Shot,
    battles,
    recent_shots,
    shots,
)
from marl_envs.adca.viewer.viewer import BattleViewer

__all__ = [
    "HALF",
    "SHADES",
    "SHOTS_SEEN_FOR",
    "BattleViewer",
    "Shot",
    "battles",
    "recent_shots",
    "shading",
    "shots",
]
