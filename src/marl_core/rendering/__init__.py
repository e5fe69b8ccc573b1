"""Watching what a team does: an episode is recorded, and its environment's own viewer shows it."""

from marl_core.rendering.episode import Episode, Mode, record
from marl_core.rendering.page import html_page
from marl_core.rendering.viewer import HasViewer, Viewer

__all__ = ["Episode", "HasViewer", "Mode", "Viewer", "html_page", "record"]
