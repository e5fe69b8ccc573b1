"""Runs, grouped into experiments: those of a group differ in nothing but the seed."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from marl_core.config.named import EnvironmentConfig
from marl_core.config.run import RunConfig
from marl_core.errors import UserError, suggestion
from marl_core.reports.results import (
    RESERVED,
    Label,
    RunResult,
    as_label,
    read_log,
    read_run,
)
from marl_core.runs.folder import RunFolder
from marl_core.training.stages import environment_spec

#: Settings by dotted name; ``host.name`` and its like say which component the rest of ``host`` belongs to.
Settings = dict[str, Any]


@dataclass(frozen=True)
class Experiment:
    """Runs that repeat each other with different seeds.

    Attributes:
        config: of the first of them.
        differences: what tells it from the other experiments of a report, by short names; empty for the only one.
        paths: the runs' folders, in the order of their seeds, as the two that follow.
        results: at the evaluations.
        logs: the lines of each ``metrics.csv``.
        level_kinds: the names of the environment's levels, by their kind.
    """

    config: RunConfig
    differences: Mapping[str, Label]
    paths: tuple[Path, ...]
    results: tuple[RunResult, ...]
    logs: tuple[list[dict[str, float]], ...]
    level_kinds: Mapping[str, tuple[str, ...]]

    @property
    def name(self) -> str:
        """Only what differs, as ``agents=8, host=qmix``; of the only experiment, the host and the environment."""
        told = ", ".join(f"{name}={label}" for name, label in self.differences.items())
        return told or f"{self.config.host.name} on {self.config.environment.name}"

    @property
    def measure(self) -> str:
        """How its greedy policies were evaluated: ``exact`` where there is a closed form, else ``greedy``."""
        for measure in ("exact", "greedy"):
            if self.measured(f"{measure}/return"):
                return measure
        raise UserError(f"{self.paths[0]}: the run has no evaluation yet")

    def measured(self, metric: str) -> bool:
        """Whether every run has the metric."""
        return all(metric in result.metrics for result in self.results)

    def final(self, *metrics: str) -> Float[np.ndarray, "runs 1"]:
        """The mean of the metrics at each run's last evaluation, as scores on one task."""
        return np.array(
            [
                [np.mean([result.final(metric) for metric in metrics])]
                for result in self.results
            ]
        )


def read_experiments(paths: Sequence[Path]) -> list[Experiment]:
    """Read runs, finished or not, and group them, in the order in which they are given.

    What makes an experiment: environment, host, the stages and what is explored in them, episodes per update.

    Raises:
        UserError: a folder holds no run or no evaluation; two runs have the same seed and experiment.
    """
    groups: dict[str, dict[int, tuple[Path, RunConfig]]] = {}
    for path in paths:
        config = RunFolder(path).load_config()
        runs = groups.setdefault(json.dumps(_settings(config), sort_keys=True), {})
        if config.seed in runs:
            other = runs[config.seed][0]
            message = f"{path}: the same experiment with the same seed ({config.seed}) as {other}; give each run once"
            raise UserError(message)
        runs[config.seed] = path, config
    firsts = [next(iter(runs.values()))[1] for runs in groups.values()]
    told_apart = _differences([_settings(config) for config in firsts])
    return [
        _experiment(first, differences, [path for _, (path, _) in sorted(runs.items())])
        for first, differences, runs in zip(
            firsts, told_apart, groups.values(), strict=True
        )
    ]


def chosen_metric(experiments: Sequence[Experiment], metric: str | None) -> str:
    """The metric to compare experiments by: the given one, or the greedy return, exact where all of them have it.

    Raises:
        UserError: a run has no such metric.
    """
    if metric is None:
        measures = {experiment.measure for experiment in experiments}
        return "exact/return" if measures == {"exact"} else "greedy/return"
    for experiment in experiments:
        for path, result in zip(experiment.paths, experiment.results, strict=True):
            if metric not in result.metrics:
                known = sorted(result.metrics)
                hint = suggestion(metric, known) or f"; there are {', '.join(known)}"
                raise UserError(f"{path}: no metric '{metric}' was evaluated{hint}")
    return metric


def same_environment(experiments: Sequence[Experiment]) -> list[list[Experiment]]:
    """The experiments, parted by the environment and all its settings."""
    groups: dict[str, list[Experiment]] = {}
    for experiment in experiments:
        key = json.dumps(
            experiment.config.environment.model_dump(mode="json"), sort_keys=True
        )
        groups.setdefault(key, []).append(experiment)
    return list(groups.values())


def _experiment(
    config: RunConfig, differences: Mapping[str, Label], paths: Sequence[Path]
) -> Experiment:
    folders = [RunFolder(path) for path in paths]
    spec = environment_spec(config)
    explorations = [
        config.stage_exploration(index).name for index in range(len(config.stages))
    ]
    # Task and algorithm say these already.
    said = {"environment", "host", "stages", *_words_of(config.environment)}
    labels: dict[str, Label] = {
        "task": " ".join(_words_of(config.environment).values())
        or config.environment.name,
        "algorithm": "+".join([config.host.name, *explorations]),
        "agents": spec.agents,
        **{
            name: label
            for name, label in differences.items()
            if name.removeprefix("environment.") not in said
        },
    }
    kinds: dict[str, tuple[str, ...]] = {}
    for level in spec.levels:
        kinds[level.kind] = (*kinds.get(level.kind, ()), level.name)
    return Experiment(
        config,
        differences,
        tuple(paths),
        tuple(read_run(folder, labels) for folder in folders),
        tuple(read_log(folder) for folder in folders),
        kinds,
    )


def _words_of(environment: EnvironmentConfig) -> dict[str, str]:
    """The settings that are words and not as by default: FME's tag, a map's or a scenario's name."""
    chosen = environment.model_dump(mode="json", exclude_defaults=True)
    return {
        name: value
        for name, value in chosen.items()
        if isinstance(value, str) and value and name != "name"
    }


def _settings(config: RunConfig) -> Settings:
    """What must be equal for runs to be repetitions of each other."""
    explorations = [
        config.stage_exploration(index) for index in range(len(config.stages))
    ]
    settings = {
        **_flat("environment", config.environment.model_dump(mode="json")),
        **_flat("host", config.host.model_dump(mode="json")),
        "stages.name": " + ".join(exploration.name for exploration in explorations),
    }
    for index, (stage, exploration) in enumerate(
        zip(config.stages, explorations, strict=True)
    ):
        settings[f"stages.{index}.episodes"] = stage.episodes
        settings |= _flat(
            f"stages.{index}.exploration", exploration.model_dump(mode="json")
        )
    return {
        **settings,
        "training.episodes_per_update": config.training.episodes_per_update,
    }


def _flat(name: str, value: object) -> Settings:
    if not isinstance(value, dict):
        return {name: value}
    return {
        inner: leaf
        for key, part in value.items()
        for inner, leaf in _flat(f"{name}.{key}", part).items()
    }


def _differences(experiments: Sequence[Settings]) -> list[dict[str, Label]]:
    """For each experiment, the settings in which it differs from one with the same components."""
    differing: list[list[str]] = []
    for own in experiments:
        comparable = {
            key: [
                its
                for its in experiments
                if _components(key, its) == _components(key, own)
            ]
            for key in own
        }
        differing.append(
            [
                key
                for key in own
                if any(its.get(key) != own[key] for its in comparable[key])
            ]
        )
    shown = _short_names(differing, experiments)
    return [
        {shown[key]: as_label(own[key]) for key in keys}
        for own, keys in zip(experiments, differing, strict=True)
    ]


def _components(key: str, settings: Settings) -> list[object]:
    """The names of the components that a setting is within; the setting ``host.name`` is within none."""
    parts = key.removesuffix(".name").split(".")
    outer = (".".join(parts[:length]) + ".name" for length in range(1, len(parts)))
    return [settings.get(name) for name in outer]


def _short_names(
    keys: Sequence[Sequence[str]], experiments: Sequence[Settings]
) -> dict[str, str]:
    """``environment.agents`` is called ``agents``, unless another key that says something else would be called so too.

    Args:
        keys: the ones that differ, for each experiment.
        experiments: their values.
    """
    said: dict[str, list[set[str]]] = {}
    for index, (own, names) in enumerate(zip(experiments, keys, strict=True)):
        for key in names:
            said.setdefault(_last(key), [set() for _ in experiments])[index].add(
                json.dumps(own[key])
            )
    ambiguous = {
        short for short, values in said.items() if any(len(one) > 1 for one in values)
    }
    return {
        key: _last(key)
        if _last(key) not in ambiguous | RESERVED - {"environment"}
        else key.removesuffix(".name")
        for names in keys
        for key in names
    }


def _last(key: str) -> str:
    return key.removesuffix(".name").rsplit(".", 1)[-1]
