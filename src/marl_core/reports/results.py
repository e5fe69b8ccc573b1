"""What runs measured over training, in the terms of docs/reference/results_format.md."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from marl_core.errors import UserError
from marl_core.reports.labels import (
    FIRST_COLUMNS,
    RESERVED,
    Label,
    as_label,
    label_text,
)

#: Labels that every result has, and that are words.
_NEEDED = FIRST_COLUMNS[1:]


@dataclass(frozen=True)
class RunResult:
    """What one run measured over training.

    Args:
        environment: its registered name.
        labels: tell experiments apart. ``task`` and ``algorithm`` are always there. Others are
            words or finite numbers, and no word that reads as a number: see ``as_label``.
        seed: of the run.
        episodes: after how many episodes of training it was evaluated, ascending.
        metrics: by name, a value for each evaluation; NaN where it was not measured.

    Raises:
        ValueError: one of the above does not hold.
    """

    environment: str
    labels: Mapping[str, Label]
    seed: int
    episodes: tuple[int, ...]
    metrics: Mapping[str, tuple[float, ...]]

    def __post_init__(self) -> None:
        for name in _NEEDED:
            word = self.labels.get(name)
            if not word or not isinstance(word, str):
                raise ValueError(f"the label '{name}' is missing, or no word")
        for name, label in self.labels.items():
            _check_label(name, label)
        if not self.episodes or not self.metrics:
            raise ValueError("a result needs an evaluation and a metric at least")
        steps = pairwise(self.episodes)
        if any(late <= early for early, late in steps):
            raise ValueError("episodes must ascend")
        evaluations = len(self.episodes)
        for name, values in self.metrics.items():
            if len(values) != evaluations:
                found = f"{len(values)} values of {name}"
                raise ValueError(f"{found} for {evaluations} evaluations")

    def final(self, name: str) -> float:
        """A metric at the last evaluation.

        Args:
            name: of the metric.
        """
        return self.metrics[name][-1]

    def average(self, name: str) -> float:
        """A metric's mean over all evaluations of training; NaN where one of them is NaN.

        Args:
            name: of the metric.
        """
        with np.errstate(invalid="ignore"):
            return float(np.mean(self.metrics[name]))


def in_order(results: Iterable[RunResult]) -> list[RunResult]:
    """Sort results by environment, task, algorithm, their other labels by name, and seed.

    Args:
        results: in any order.

    Raises:
        UserError: two results have the same labels and seed.
    """
    found = list(results)
    others = other_labels(found)
    ordered = sorted(found, key=lambda result: _place(result, others))
    for one, next_one in pairwise(ordered):
        if _place(one, others) == _place(next_one, others):
            parts = [f"{name}={label}" for name, label in one.labels.items()]
            labels = ", ".join(parts)
            same = f"two runs on {one.environment} with seed {one.seed}"
            raise UserError(f"{same} have the same labels: {labels}")
    return ordered


def other_labels(results: Iterable[RunResult]) -> list[str]:
    """The names of the labels that not every result needs to have, sorted.

    Args:
        results: whose labels count.
    """
    names: set[str] = set()
    for result in results:
        names.update(result.labels)
    return sorted(names - set(_NEEDED))


#: How a label is sorted: its kind, its number, its text.
_LabelPlace = tuple[int, float | int, str]
#: How a result is sorted: its environment, its labels, its seed.
_Place = tuple[str, tuple[_LabelPlace, ...], int]


def _place(
    result: RunResult,
    others: Iterable[str],
) -> _Place:
    names = (*_NEEDED, *others)
    labels = [result.labels.get(name) for name in names]
    places = tuple(map(_label_place, labels))
    return result.environment, places, result.seed


def _label_place(label: Label | None) -> _LabelPlace:
    """Missing labels first, then numbers, then words.

    The text is needed to tell 8 from 8.0, as the file does.
    """
    text = label_text(label)
    if label is None:
        return 0, 0, text
    if isinstance(label, str):
        return 2, 0, text
    return 1, label, text


def _check_label(
    name: str,
    label: Label,
) -> None:
    if name in _NEEDED:
        return
    if name in RESERVED:
        raise ValueError(f"'{name}' is a column of its own and no label")
    if as_label(label) != label or isinstance(label, bool):
        message = f"the label {name}={label!r} is neither a word nor a finite number"
        raise ValueError(message)
