"""What progress is shown: episodes, the newest score, speed, time left."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from marl_core.evaluation.scores import Evaluation
from marl_core.training.learner import Learner


@final
@dataclass(frozen=True)
class ProgressText:
    """How far a run is, in words.

    Attributes:
        stage: ``stage 1/2``.
        episodes: ``4096/393216 episodes``.
        score: ``return 4.912`` or ``win rate 0.83``; empty before the first evaluation.
        speed: ``12345 steps/s``; empty before the first update.
        left: ``0:12:30 left``; empty before the first update.
    """

    stage: str
    episodes: str
    score: str
    speed: str
    left: str

    @classmethod
    def of(cls, learner: Learner) -> ProgressText:
        """How far a learner's run is.

        Args:
            learner: in a fit.
        """
        config = learner.run
        progress = learner.progress
        pace = learner.pace
        speed = pace.steps_per_second
        left = pace.seconds_left(config.episodes - progress.episodes)
        return cls(
            stage=f"stage {progress.stage + 1}/{len(config.stages)}",
            episodes=f"{progress.episodes}/{config.episodes} episodes",
            score=_score(learner.latest),
            speed="" if speed is None else f"{speed:.0f} steps/s",
            left="" if left is None else f"{_clock_time(left)} left",
        )

    def line(self) -> str:
        """Everything in one line."""
        parts = (self.stage, self.episodes, self.score, self.speed, self.left)
        return ", ".join(part for part in parts if part)

    def numbers(self, width: int) -> str:
        """As much as fits, the numbers first.

        Args:
            width: how many characters there is room for.
        """
        whole = self.line()
        if len(whole) <= width:
            return whole
        parts = (self.episodes, self.score, self.left)
        fewer = " ".join(part for part in parts if part)
        return fewer if len(fewer) <= width else fewer.replace(" episodes", "")


def _score(latest: Evaluation | None) -> str:
    """The win rate where games can be won, else the return: exact, or of greedy test episodes."""
    if latest is None:
        return ""
    if latest.win_rate is not None:
        return f"win rate {latest.win_rate.greedy.mean:.2f}"
    team_return = latest.team_return
    exact = team_return.exact
    return f"return {team_return.greedy.mean if exact is None else exact:.3f}"


def _clock_time(seconds: float) -> str:
    whole = round(seconds)
    return f"{whole // 3600}:{whole // 60 % 60:02}:{whole % 60:02}"
