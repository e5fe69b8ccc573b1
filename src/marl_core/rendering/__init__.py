"""Watching what a team does: an episode is recorded, and its environment's viewer shows it."""

from marl_core.rendering.episode import Episode, Mode
from marl_core.rendering.page import html_page
from marl_core.rendering.recording import record
from marl_core.rendering.viewer import HasViewer, Viewer

__all__ = ["Episode", "HasViewer", "Mode", "Viewer", "html_page", "record"]
