"""The viewer of ADCA."""

from __future__ import annotations

from typing import Any, final

from matplotlib.figure import Figure

from marl_core.rendering import Episode, Viewer, html_page
from marl_core.rendering.figure_text import figure_text
from marl_envs.adca.config import ADCAConfig
from marl_envs.adca.viewer.field_picture import draw_field
from marl_envs.adca.viewer.outcome import deaths
from marl_envs.adca.viewer.page import page_content, page_data
from marl_envs.adca.viewer.score_charts import draw_score
from marl_envs.adca.viewer.shots import battles


@final
class BattleViewer(Viewer):
    """Shows a battle.

    The page and the pictures show the ground, both teams with headings and weapons, shots and the
    score. The page also shows what agents see and intend.

    Args:
        config: of the environment that the battles are played in.
    """

    def __init__(self, config: ADCAConfig) -> None:
        self._config = config

    def page(self, episode: Episode) -> str:
        """An HTML page that plays the battle and needs nothing else.

        Args:
            episode: of ADCA.
        """
        title = f"ADCA · {episode.title}"
        return html_page(title, page_content(), self.data(episode))

    def data(self, episode: Episode) -> dict[str, Any]:
        """What the page shows.

        Args:
            episode: of ADCA.
        """
        return page_data(episode, self._config)

    def still(self, episode: Episode) -> int:
        """The state in which half of those that fall have fallen.

        Args:
            episode: of ADCA.
        """
        died = deaths(battles(episode))
        fallen = sorted(step for step in died if step >= 0)
        if not fallen:
            return episode.steps // 2
        return fallen[len(fallen) // 2]

    def draw(
        self,
        figure: Figure,
        episode: Episode,
        frame: int,
    ) -> None:
        """Draw the field, and beside it how many live and what was earned.

        Args:
            figure: where to draw.
            episode: of ADCA.
            frame: the state, from 0 to T.
        """
        layout = figure.subplot_mosaic(
            [["field", "alive"], ["field", "earned"]],
            width_ratios=(5, 2.4),
        )
        draw_field(layout["field"], episode, self._config, frame)
        draw_score(
            layout["alive"],
            layout["earned"],
            episode,
            self._config.agents,
            frame,
        )
        figure.suptitle(figure_text(f"ADCA · {episode.title}"))

    @property
    def size(self) -> tuple[float, float]:
        """Width and height of a picture in inches: a square field, and a column of charts."""
        return 9.0, 6.0
