"""Runs, grouped into experiments: the runs of a group differ in nothing but the seed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float

from marl_core.base_config import EnvironmentConfig
from marl_core.config.run import RunConfig
from marl_core.errors import UserError, suggestion
from marl_core.registry import environment_spec
from marl_core.reports.labels import Label
from marl_core.reports.results import RunResult
from marl_core.reports.run_log import LogLine, read_log, read_run
from marl_core.reports.settings import (
    PARTS,
    differing_keys,
    identity,
    labels_of,
    names_of,
    settings_of,
)
from marl_core.runs.folder import RunFolder
from marl_core.types import EnvironmentSpec

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
        logs: the lines of each run's ``metrics.csv``, in the same order.
        level_kinds: the names of the environment's levels, by their kind.
    """

    name: str
    config: RunConfig
    paths: tuple[Path, ...]
    results: tuple[RunResult, ...]
    logs: tuple[list[LogLine], ...]
    level_kinds: LevelKinds

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


#: The types of settings that are free words.
_FREE_WORDS = (str, str | None)

#: The folder and config of a run.
_Run = tuple[Path, RunConfig]


def read_experiments(paths: Sequence[Path]) -> list[Experiment]:
    """Read runs and group them. What makes an experiment: see ``reports.settings.settings_of``.

    Args:
        paths: run folders of any experiments, finished or not.

    Returns:
        The experiments, in the order in which their first runs are given.

    Raises:
        UserError: a folder holds no run or no evaluation; two runs of an experiment have the same
            seed.
    """
    groups = _grouped(paths)
    settings = [settings_of(_first_config(runs)) for runs in groups]
    keys = differing_keys(settings)
    names = names_of(settings, keys)
    labels = labels_of(
        settings,
        [key for key in keys if not _is_part(key)],
    )
    return [
        _experiment(name, differences, runs)
        for name, differences, runs in zip(names, labels, groups, strict=True)
    ]


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
    """Part experiments by the environment and all its settings.

    Args:
        experiments: in any order; the order is kept.
    """
    groups: dict[str, list[Experiment]] = {}
    for experiment in experiments:
        environment = experiment.config.environment.model_dump(mode="json")
        groups.setdefault(identity(environment), []).append(experiment)
    return list(groups.values())


def _grouped(paths: Sequence[Path]) -> list[list[_Run]]:
    """The runs of each experiment, sorted by their seeds."""
    groups: dict[str, dict[int, _Run]] = {}
    for path in paths:
        config = RunFolder(path).load_config()
        runs = groups.setdefault(identity(settings_of(config)), {})
        if config.seed in runs:
            same = f"the same experiment with the same seed ({config.seed})"
            other = runs[config.seed][0]
            raise UserError(f"{path}: {same} as {other}; give each run once")
        runs[config.seed] = path, config
    grouped: list[list[_Run]] = []
    for runs in groups.values():
        seeds = sorted(runs)
        grouped.append([runs[seed] for seed in seeds])
    return grouped


def _first_config(runs: Sequence[_Run]) -> RunConfig:
    _, config = runs[0]
    return config


def _is_part(key: str) -> bool:
    return key in PARTS


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


def _experiment(
    name: str,
    differences: Mapping[str, Label],
    runs: Sequence[_Run],
) -> Experiment:
    config = _first_config(runs)
    spec = environment_spec(config.environment)
    labels = _labels(config, spec, differences)
    folders = [RunFolder(path) for path, _ in runs]
    return Experiment(
        name=name or f"{config.host.name} on {config.environment.name}",
        config=config,
        paths=tuple(folder.path for folder in folders),
        results=tuple(read_run(folder, labels) for folder in folders),
        logs=tuple(read_log(folder) for folder in folders),
        level_kinds=_level_kinds(spec),
    )


def _labels(
    config: RunConfig,
    spec: EnvironmentSpec,
    differences: Mapping[str, Label],
) -> dict[str, Label]:
    """The labels of an experiment's results, as docs/reference/results_format.md explains them."""
    named = _named_settings(config.environment)
    stages = range(len(config.stages))
    explorations = [config.stage_exploration(index).name for index in stages]
    labels: dict[str, Label] = {
        "task": " ".join(named.values()) or config.environment.name,
        "algorithm": "+".join([config.host.name, *explorations]),
        "agents": spec.agents,
    }
    for name, label in differences.items():
        if name not in named:
            labels[name] = label
    return labels


def _named_settings(environment: EnvironmentConfig) -> dict[str, str]:
    """The settings that are free words and not as by default: FME's tag, a map's name.

    A setting that is a choice of given words does not count.
    """
    found: dict[str, str] = {}
    fields = type(environment).model_fields
    chosen = environment.model_dump(mode="json", exclude_defaults=True)
    for name, value in chosen.items():
        is_free = fields[name].annotation in _FREE_WORDS
        if is_free and value and name != "name":
            found[name] = value
    return found


def _level_kinds(spec: EnvironmentSpec) -> LevelKinds:
    kinds: dict[str, list[str]] = {}
    for level in spec.levels:
        names = kinds.setdefault(level.kind, [])
        names.append(level.name)
    return kinds
