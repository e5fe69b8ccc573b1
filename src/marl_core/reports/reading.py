"""Reading runs, grouped into experiments that differ in more than the seed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from marl_core.base_config import EnvironmentConfig
from marl_core.config.run import RunConfig
from marl_core.construction import environment_spec
from marl_core.errors import UserError
from marl_core.reports.experiments import Experiment, LevelKinds
from marl_core.reports.labels import Label
from marl_core.reports.naming import differing_keys, labels_of, names_of
from marl_core.reports.run_log import read_log, read_run
from marl_core.reports.settings import PARTS, identity, settings_of
from marl_core.runs.folder import RunFolder
from marl_core.types import EnvironmentSpec

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
    # Other labels say which parts an experiment is run by.
    other_keys = [key for key in keys if key not in PARTS]
    labels = labels_of(settings, other_keys)
    return [
        _experiment(name, differences, runs)
        for name, differences, runs in zip(names, labels, groups, strict=True)
    ]


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
