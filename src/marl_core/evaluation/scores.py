"""What a policy earns: exactly where there is a closed form, and in test episodes, greedy and
sampled.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from marl_core.evaluation.statistics import Interval
from marl_core.types import Level


@dataclass(frozen=True)
class Score:
    """What a policy earns. It is shown with rounded numbers, and holds them as they are.

    Attributes:
        exact: the greedy team's expectation in closed form; None where there is none.
        greedy: of test episodes in which every agent takes its most probable action.
        sampled: of test episodes in which every agent draws from its individual policy.
    """

    exact: float | None
    greedy: Interval
    sampled: Interval

    def __repr__(self) -> str:
        exact = None if self.exact is None else round(self.exact, 6)
        greedy = _shown(self.greedy)
        return f"Score(exact={exact}, greedy={greedy}, sampled={_shown(self.sampled)})"

    def as_json(self) -> dict[str, Any]:
        """As ``marl evaluate --json`` prints it."""
        return {
            "exact": self.exact,
            "greedy": self.greedy.as_json(),
            "sampled": self.sampled.as_json(),
        }


def _shown(interval: Interval) -> str:
    return f"{interval.mean:.4f} [{interval.low:.4f}, {interval.high:.4f}]"


@dataclass(frozen=True)
class Evaluation:
    """The return and, where the environment has them, the reward of each level and the share of
    games won.
    """

    team_return: Score
    levels: tuple[tuple[Level, Score], ...]
    episodes: int
    win_rate: Score | None = None

    def as_json(self) -> dict[str, Any]:
        """The object that ``marl evaluate --json`` prints."""
        return {
            "return": self.team_return.as_json(),
            "levels": [
                {"name": level.name, "kind": level.kind, **score.as_json()}
                for level, score in self.levels
            ],
            "win_rate": None if self.win_rate is None else self.win_rate.as_json(),
            "episodes": self.episodes,
        }

    def scores(self) -> dict[str, Score]:
        """Every score by its name: the levels', the return, and the win rate where games can be
        won.
        """
        named = {level.name: score for level, score in self.levels} | {
            "return": self.team_return
        }
        return named if self.win_rate is None else named | {"win_rate": self.win_rate}

    def metrics(self) -> dict[str, float]:
        """The means by name, for logs."""
        found: dict[str, float] = {}
        for name, score in self.scores().items():
            if score.exact is not None:
                found[f"exact/{name}"] = score.exact
            found[f"greedy/{name}"] = score.greedy.mean
            found[f"sampled/{name}"] = score.sampled.mean
        return found
