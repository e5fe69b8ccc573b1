"""Watching who does what at each level: a page to play with, pictures and films."""

from marl_envs.fme.viewer.levels import rewarded
from marl_envs.fme.viewer.snapshots import MOST_PICTURES
from marl_envs.fme.viewer.viewer import LevelViewer

__all__ = ["MOST_PICTURES", "LevelViewer", "rewarded"]
