"""The JSON file of results that InstaDeep's marl-eval reads (docs/reference/results_format.md)."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from marl_core.errors import UserError
from marl_core.reports.labels import label_text
from marl_core.reports.results import RunResult, in_order, other_labels
from marl_core.reports.run_log import is_coupling
from marl_core.runs.whole_writes import write_output

_Step = dict[str, int | list[float]]
_Run = dict[str, _Step]
#: Runs by their names, in algorithms, in tasks, in environments, as marl-eval nests them.
_Algorithm = dict[str, _Run]
_Task = dict[str, _Algorithm]
_Environment = dict[str, _Task]
_Tree = dict[str, _Environment]


class _Place(NamedTuple):
    """Where a run stands in the file."""

    environment: str
    task: str
    algorithm: str
    run: str


def write_marl_eval(
    results: Iterable[RunResult],
    path: Path,
    task_labels: Collection[str] = frozenset({"agents"}),
) -> None:
    """Write the JSON file that marl-eval reads.

    The source of the format is "Data Structure for Raw Experiment data" in marl-eval's README.

    Labels other than task and algorithm that differ within an environment are added to the name of
    the task or of the algorithm. ``step_count`` counts episodes. ``absolute_metrics`` are those of
    the last evaluation. The coupling is left out, because it is no score. NaN and infinities are
    written as Python's ``json`` reads them.

    Args:
        results: in any order.
        path: where the file goes.
        task_labels: the labels that are added to the task's name; all others go to the algorithm's.

    Raises:
        UserError: two runs would get the same names (marl-eval ignores case), or the file cannot be
            written.
    """
    ordered = in_order(results)
    differing = _differing_labels(ordered)
    tree: _Tree = {}
    taken: set[tuple[str, ...]] = set()
    for result in ordered:
        place = _place(
            result,
            differing[result.environment],
            task_labels,
        )
        lower_case = tuple(map(str.lower, place))
        if lower_case in taken:
            name = " / ".join(place)
            message = f"two runs would be called {name} in marl-eval's format"
            raise UserError(f"{path}: {message}")
        taken.add(lower_case)
        tasks = tree.setdefault(place.environment, {})
        algorithms = tasks.setdefault(place.task, {})
        runs = algorithms.setdefault(place.algorithm, {})
        runs[place.run] = _steps(result)
    write_output(
        path,
        (json.dumps(tree, indent=1) + "\n").encode(),
        "results",
    )


def _place(
    result: RunResult,
    differing: Sequence[str],
    task_labels: Collection[str],
) -> _Place:
    task = [str(result.labels["task"])]
    algorithm = [str(result.labels["algorithm"])]
    for name in differing:
        if name in result.labels:
            extended = task if name in task_labels else algorithm
            label = result.labels[name]
            extended.append(f"{name}={label}")
    run = f"run_{result.seed}"
    return _Place(
        result.environment,
        " ".join(task),
        " ".join(algorithm),
        run,
    )


def _steps(result: RunResult) -> _Run:
    names = sorted(result.metrics)
    names = [name for name in names if not is_coupling(name)]
    steps: _Run = {}
    for index, episodes in enumerate(result.episodes):
        step: _Step = {"step_count": episodes}
        for name in names:
            value = result.metrics[name][index]
            step[name] = [value]
        steps[f"step_{index}"] = step
    last: _Step = {}
    for name in names:
        last[name] = [result.final(name)]
    steps["absolute_metrics"] = last
    return steps


def _differing_labels(results: Sequence[RunResult]) -> dict[str, list[str]]:
    """By environment, the labels that are not the same in all of its results."""
    by_environment: dict[str, list[RunResult]] = {}
    for result in results:
        by_environment.setdefault(result.environment, []).append(result)
    differing: dict[str, list[str]] = {}
    for name, members in by_environment.items():
        differing[name] = _differing(members)
    return differing


def _differing(results: Sequence[RunResult]) -> list[str]:
    differing: list[str] = []
    for name in other_labels(results):
        labels = [result.labels.get(name) for result in results]
        texts = set(map(label_text, labels))
        if len(texts) > 1:
            differing.append(name)
    return differing
