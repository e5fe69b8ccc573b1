"""Experiments: runs that repeat each other with different seeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from jaxtyping import Float

from marl_core.config.run import RunConfig
from marl_core.errors import UserError, suggestion
from marl_core.reports.log_columns import RunLog
from marl_core.reports.results import RunResult
from marl_core.reports.settings import identity

#: The names of an environment's levels, by their kind.
LevelKinds = Mapping[str, Sequence[str]]


@dataclass(frozen=True)
class Experiment:
    """Runs that repeat each other with different seeds.

    Args:
        name: tells it from the other experiments of a report (see ``reports.settings``); of the
            only experiment, the host and the environment.
        config: of the first run.
        paths: the runs' folders, in the order of their seeds.
        results: of the runs, in the same order.
        logs: of each run's ``metrics.csv``, in the same order.
        level_kinds: the names of the environment's levels, by their kind.
        code: for each module that the config names, a text that is the same for equal code.
    """

    name: str
    config: RunConfig
    paths: tuple[Path, ...]
    results: tuple[RunResult, ...]
    logs: tuple[RunLog, ...]
    level_kinds: LevelKinds
    code: Mapping[str, str] = field(default_factory=dict)

    @property
    def measure(self) -> str:
        """How greedy policies were evaluated: ``exact``, in closed form, or else ``greedy``.

        Raises:
            UserError: neither was evaluated.
        """
        for measure in ("exact", "greedy"):
            if self.measured(f"{measure}/return"):
                return measure
        raise UserError(f"{self.paths[0]}: the run has no evaluation yet")

    def measured(self, metric: str) -> bool:
        """Whether every run has a metric.

        Args:
            metric: its name.
        """
        return all(metric in result.metrics for result in self.results)

    def final(self, *metrics: str) -> Float[np.ndarray, "runs 1"]:
        """The mean of metrics at each run's last evaluation, as scores on one task.

        Args:
            metrics: their names.
        """
        scores: list[list[float]] = []
        for result in self.results:
            values = [result.final(metric) for metric in metrics]
            scores.append([float(np.mean(values))])
        return np.array(scores)


def compared_metrics(
    experiments: Sequence[Experiment],
    metric: str | None,
) -> list[str]:
    """The metrics to compare experiments by.

    Args:
        experiments: what is compared.
        metric: the name of the only one, if it is chosen.

    Returns:
        By default the greedy return, exact where all experiments have it, and the greedy win rate,
        where all of them have it.

    Raises:
        UserError: a run has no such metric.
    """
    if metric is not None:
        _check_measured(experiments, metric)
        return [metric]
    measures = {experiment.measure for experiment in experiments}
    metrics = ["exact/return" if measures == {"exact"} else "greedy/return"]
    if all(experiment.measured("greedy/win_rate") for experiment in experiments):
        metrics.append("greedy/win_rate")
    return metrics


def same_environment(experiments: Sequence[Experiment]) -> list[list[Experiment]]:
    """Part experiments by the environment, all its settings and its code.

    Args:
        experiments: in any order; the order is kept.
    """
    groups: dict[str, list[Experiment]] = {}
    for experiment in experiments:
        environment = experiment.config.environment.model_dump(mode="json")
        module, _, _ = environment["name"].partition(":")
        environment["code"] = experiment.code.get(module)
        groups.setdefault(identity(environment), []).append(experiment)
    return list(groups.values())


def _check_measured(
    experiments: Sequence[Experiment],
    metric: str,
) -> None:
    for experiment in experiments:
        for path, result in zip(experiment.paths, experiment.results, strict=True):
            if metric not in result.metrics:
                known = sorted(result.metrics)
                listed = ", ".join(known)
                hint = suggestion(metric, known) or f"; there are {listed}"
                raise UserError(f"{path}: no metric '{metric}' was evaluated{hint}")
