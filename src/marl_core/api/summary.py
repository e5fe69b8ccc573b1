"""What a run came to, as typed objects."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

from marl_core.errors import UserError, suggestion
from marl_core.evaluation.scores import Evaluation, Score
from marl_core.evaluation.statistics import Interval
from marl_core.types import Level


@final
class Scores(Mapping[str, Score]):
    """What a policy earns, by name: ``return``, an environment's levels, ``win_rate``.

    ``scores["return"].exact`` is the greedy team's expected return in closed form, None where there
    is none; ``scores["return"].greedy.mean`` is that of test episodes, with ``low`` and ``high``.

    Args:
        evaluation: what was measured.
    """

    def __init__(self, evaluation: Evaluation) -> None:
        self.evaluation = evaluation
        self._by_name = evaluation.scores()

    @property
    def episodes(self) -> int:
        """How many test episodes were played in each mode."""
        return self.evaluation.episodes

    def __getitem__(self, name: str) -> Score:
        """A score.

        Args:
            name: ``return``, the name of a level, or ``win_rate``.

        Raises:
            KeyError: there is no such score; the argument says which was meant.
        """
        if name not in self._by_name:
            hint = suggestion(name, self._by_name)
            known = hint or f" (there are {', '.join(self._by_name)})"
            raise KeyError(f"no score '{name}'{known}")
        return self._by_name[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._by_name)

    def __len__(self) -> int:
        return len(self._by_name)

    def __repr__(self) -> str:
        shown = [f"{name}: {_shown(score)}" for name, score in self.items()]
        return f"Scores({', '.join(shown)})"


@final
@dataclass(frozen=True)
class Summary:
    """What a finished run came to. ``summary["return"]`` is a score; see ``Scores``.

    Attributes:
        scores: of the policy at the end of training.
        seed: the run's.
        training_episodes: how many were trained.
        updates: how many were made.
        seconds: that the last process took to train.
        cpu: on which the run was made: other CPUs may round otherwise, and then give other numbers.
    """

    scores: Scores
    seed: int
    training_episodes: int
    updates: int
    seconds: float
    cpu: str | None = None

    def __getitem__(self, name: str) -> Score:
        """A score.

        Args:
            name: ``return``, the name of a level, or ``win_rate``.

        Raises:
            KeyError: there is no such score.
        """
        return self.scores[name]


def read_summary(path: Path) -> Summary:
    """What a run's ``summary.json`` says.

    Args:
        path: of the file.

    Raises:
        UserError: there is none yet, or it cannot be understood.
    """
    try:
        saved = json.loads(path.read_bytes())
        return Summary(
            scores=Scores(_evaluation(saved)),
            seed=saved["seed"],
            training_episodes=saved["training_episodes"],
            updates=saved["updates"],
            seconds=saved["seconds"],
            cpu=saved.get("cpu"),
        )
    except FileNotFoundError as error:
        unfinished = f"no summary yet; `marl resume {path.parent}` trains the run"
        raise UserError(f"{path}: {unfinished}") from error
    except (OSError, ValueError, LookupError, TypeError) as error:
        message = f"this is no summary of a run ({type(error).__name__})"
        raise UserError(f"{path}: {message}") from error


def _evaluation(saved: Mapping[str, Any]) -> Evaluation:
    levels = [(Level(one["name"], one["kind"]), _score(one)) for one in saved["levels"]]
    won = saved.get("win_rate")
    return Evaluation(
        team_return=_score(saved["return"]),
        levels=tuple(levels),
        episodes=saved["episodes"],
        win_rate=None if won is None else _score(won),
    )


def _score(saved: Mapping[str, Any]) -> Score:
    greedy = _interval(saved["greedy"])
    return Score(saved["exact"], greedy, _interval(saved["sampled"]))


def _interval(saved: Mapping[str, Any]) -> Interval:
    low, high = saved["ci95"]
    return Interval(saved["mean"], low, high)


def _shown(score: Score) -> str:
    if score.exact is not None:
        return f"{score.exact:.4f}"
    return f"{score.greedy.mean:.4f} greedy"
