"""The viewer of FME."""

from __future__ import annotations

from typing import Any, final

from matplotlib.figure import Figure

from marl_core.rendering import Episode, Viewer, html_page
from marl_envs.fme.config import FMEConfig
from marl_envs.fme.viewer.page import page_content, page_data
from marl_envs.fme.viewer.picture import Picture
from marl_envs.fme.viewer.snapshots import Snapshot, SnapshotMaker, thinned


@final
class LevelViewer(Viewer):
    """Shows three pictures for each level.

    They are the greedy actions over training, all policies at one moment of it, and an episode.

    Args:
        config: of the environment that the episodes are played in.
    """

    def __init__(self, config: FMEConfig) -> None:
        self._config = config
        self._maker = SnapshotMaker(config)

    def snapshots(self, episode: Episode) -> list[Snapshot]:
        """The policies that the run has kept, and after them those of the episode itself.

        Args:
            episode: of FME.
        """
        return self._maker.of_episode(episode)

    def shown(self, episode: Episode) -> list[Snapshot]:
        """As many of the snapshots as a page or a film has room for.

        Args:
            episode: of FME.
        """
        return thinned(self.snapshots(episode))

    def page(self, episode: Episode) -> str:
        """An HTML page that needs nothing else.

        Its player goes through training where the run has kept policies, and otherwise through the
        steps of the episode.

        Args:
            episode: of FME.
        """
        title = f"FME · {episode.title}"
        return html_page(title, page_content(), self.data(episode))

    def data(self, episode: Episode) -> dict[str, Any]:
        """What the page shows.

        Args:
            episode: of FME.
        """
        return page_data(episode, self._config, self.snapshots(episode))

    def frames(self, episode: Episode) -> int:
        """The number of pictures in a film: one for each snapshot that is shown.

        Args:
            episode: of FME.
        """
        return len(self.shown(episode))

    @property
    def size(self) -> tuple[float, float]:
        """Width and height of a picture in inches: a row for each level."""
        return 10.0, 1.0 + len(self._config.resolved_levels())

    def draw(
        self,
        figure: Figure,
        episode: Episode,
        frame: int,
    ) -> None:
        """Draw the levels as rows.

        Args:
            figure: where to draw.
            episode: of FME.
            frame: which of the snapshots that are shown.
        """
        snapshots = self.snapshots(episode)
        picture = Picture(
            config=self._config,
            episode=episode,
            snapshots=snapshots,
            now=thinned(snapshots)[frame],
        )
        picture.draw(figure)
