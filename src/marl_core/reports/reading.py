"""Reading runs, grouped into experiments that differ in more than the seed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import final

from marl_core.base_config import EnvironmentConfig
from marl_core.config.run import RunConfig
from marl_core.errors import UserError
from marl_core.reports.experiments import Experiment, LevelKinds
from marl_core.reports.known_environment import Known, known_of
from marl_core.reports.labels import Label
from marl_core.reports.naming import differing_keys, labels_of, names_of
from marl_core.reports.run_log import read_log, result_of
from marl_core.reports.settings import PARTS, Settings, identity, settings_of
from marl_core.runs.folder import RunFolder
from marl_core.runs.sources import code_of_run
from marl_core.types import Level

#: The types of settings that are free words.
_FREE_WORDS = (str, str | None)


@final
@dataclass(frozen=True)
class _Run:
    """A run that has been read: its folder and config, and the code that the config names."""

    folder: RunFolder
    config: RunConfig
    code: Mapping[str, str]

    @property
    def settings(self) -> Settings:
        """What makes the experiment."""
        return settings_of(self.config, self.code)


def read_experiments(
    paths: Sequence[Path],
    *,
    trust: bool = False,
) -> list[Experiment]:
    """Read runs and group them. What makes an experiment: see ``reports.settings.settings_of``.

    Args:
        paths: run folders of any experiments, finished or not.
        trust: whether the code that the folders name may be run. Without it, what such an
            environment gives is known as far as the folder says it.

    Returns:
        The experiments, in the order in which their first runs are given.

    Raises:
        UserError: a folder holds no run or no evaluation; two runs of an experiment have the same
            seed.
    """
    groups = _grouped(paths, trust)
    settings = [runs[0].settings for runs in groups]
    keys = differing_keys(settings)
    names = names_of(settings, keys)
    # Other labels say which parts an experiment is run by.
    other_keys = [key for key in keys if key not in PARTS]
    labels = labels_of(settings, other_keys)
    return [
        _experiment(name, differences, runs)
        for name, differences, runs in zip(names, labels, groups, strict=True)
    ]


def _grouped(
    paths: Sequence[Path],
    trust: bool,
) -> list[list[_Run]]:
    """The runs of each experiment, sorted by their seeds."""
    groups: dict[str, dict[int, _Run]] = {}
    for path in paths:
        run = _read(RunFolder(path, trust=trust))
        runs = groups.setdefault(identity(run.settings), {})
        seed = run.config.seed
        if seed in runs:
            same = f"the same experiment with the same seed ({seed})"
            other = runs[seed].folder.path
            raise UserError(f"{path}: {same} as {other}; give each run once")
        runs[seed] = run
    grouped: list[list[_Run]] = []
    for runs in groups.values():
        seeds = sorted(runs)
        grouped.append([runs[seed] for seed in seeds])
    return grouped


def _read(folder: RunFolder) -> _Run:
    config = folder.load_config() if folder.trust else folder.read_config()
    return _Run(folder, config, code_of_run(folder))


def _experiment(
    name: str,
    differences: Mapping[str, Label],
    runs: Sequence[_Run],
) -> Experiment:
    config = runs[0].config
    known = known_of(config.environment, runs[0].folder)
    labels = _labels(config, known, differences)
    folders = [run.folder for run in runs]
    logs = [read_log(folder) for folder in folders]
    results = [
        result_of(run.folder, run.config, log, labels)
        for run, log in zip(runs, logs, strict=True)
    ]
    return Experiment(
        name=name or f"{config.host.name} on {config.environment.name}",
        config=config,
        paths=tuple(folder.path for folder in folders),
        results=tuple(results),
        logs=tuple(logs),
        level_kinds=_level_kinds(known.levels),
        code=runs[0].code,
    )


def _labels(
    config: RunConfig,
    known: Known,
    differences: Mapping[str, Label],
) -> dict[str, Label]:
    """The labels of an experiment's results, as docs/reference/results_format.md explains them."""
    named = _named_settings(config.environment)
    stages = range(len(config.stages))
    explorations = [config.stage_exploration(index).name for index in stages]
    labels: dict[str, Label] = {
        "task": " ".join(named.values()) or config.environment.name,
        "algorithm": "+".join([config.host.name, *explorations]),
    }
    if known.agents is not None:
        labels["agents"] = known.agents
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
        # Of code that is not looked at, nobody knows which words are free.
        is_free = name in fields and fields[name].annotation in _FREE_WORDS
        if is_free and value and name != "name":
            found[name] = value
    return found


def _level_kinds(levels: Sequence[Level]) -> LevelKinds:
    kinds: dict[str, list[str]] = {}
    for level in levels:
        names = kinds.setdefault(level.kind, [])
        names.append(level.name)
    return kinds
