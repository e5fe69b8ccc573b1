"""What an environment brings along so that its episodes can be watched."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from marl_core.rendering.episode import Episode

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class Viewer(ABC):
    """Shows the episodes of one environment: as a page, and as pictures. Abstract base."""

    @abstractmethod
    def page(self, episode: Episode) -> str:
        """Make a whole HTML page that needs nothing else: see ``marl_core.rendering.html_page``.

        Args:
            episode: what to show.
        """

    @abstractmethod
    def draw(
        self,
        figure: Figure,
        episode: Episode,
        frame: int,
    ) -> None:
        """Draw a picture into an empty figure.

        Args:
            figure: of matplotlib's, to be drawn into.
            episode: what to show.
            frame: which picture of the film, from 0.
        """

    def frames(self, episode: Episode) -> int:
        """How many pictures a film of an episode has; by default one for each state, T + 1.

        Args:
            episode: what to show.
        """
        return episode.steps + 1

    def still(self, episode: Episode) -> int:
        """The picture that says most by itself; by default the last.

        Args:
            episode: what to show.
        """
        return self.frames(episode) - 1

    @property
    def size(self) -> tuple[float, float]:
        """Width and height of pictures in inches."""
        return 8.0, 6.0


@runtime_checkable
class HasViewer(Protocol):
    """An environment whose episodes can be watched."""

    def viewer(self) -> Viewer:
        """The viewer of this environment, with its settings."""
