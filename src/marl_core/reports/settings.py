"""The settings that make an experiment, and how experiments are named by those that differ.

The rule for names:

1.  A name says by which parts an experiment is run, and then by which settings: ``qmix, agents=8``.
2.  The parts are the host, the explorations of the stages, and the environment, in this order.
    The settings follow in the order of the config.
3.  Whatever is the same in all experiments is left out. So is whatever tells no two experiments
    apart that the beginning of the name has not told apart already.
4.  A setting goes by the last word of its key. Where an experiment has two such settings that
    differ from each other, it goes by its whole key.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from marl_core.config.run import RunConfig
from marl_core.reports.labels import RESERVED, Label, as_label

#: Settings by their keys. A key names each component on its way in parentheses, so that equal keys
#: mean the same setting: ``host(ppo_ma).lr``, ``stages.1.exploration(boltzmann).temperature``.
Settings = Mapping[str, object]

#: The parts that a name can begin with, by their keys. Their values speak for themselves.
PARTS = ("host", "exploration", "environment")


def settings_of(config: RunConfig) -> Settings:
    """What must be equal for two runs to be repetitions of each other.

    Args:
        config: of a run.
    """
    stages = range(len(config.stages))
    explorations = [config.stage_exploration(index) for index in stages]
    settings: dict[str, object] = {
        "host": config.host.name,
        "exploration": _joined([exploration.name for exploration in explorations]),
        "environment": config.environment.name,
    }
    settings |= _within("environment", config.environment.model_dump(mode="json"))
    settings |= _within("host", config.host.model_dump(mode="json"))
    for index, exploration in enumerate(explorations):
        key = f"stages.{index}.exploration"
        settings |= _within(key, exploration.model_dump(mode="json"))
    settings["stages"] = " + ".join(f"{stage.episodes}" for stage in config.stages)
    batch = config.training.episodes_per_update
    settings["training.episodes_per_update"] = batch
    return settings


def identity(settings: Settings) -> str:
    """A text that is the same for equal settings only.

    Args:
        settings: of an experiment.
    """
    return json.dumps(settings, sort_keys=True)


def differing_keys(experiments: Sequence[Settings]) -> list[str]:
    """The keys of the settings in which experiments differ from each other.

    A key counts where two experiments that have it have different values. A key that says the same
    as an earlier one with the same last word is left out.

    Args:
        experiments: the settings of each.
    """
    keys: list[str] = []
    for key in dict.fromkeys(key for settings in experiments for key in settings):
        values = {json.dumps(its[key]) for its in experiments if key in its}
        repeats = any(
            _repeats(
                key,
                earlier,
                experiments,
            )
            for earlier in keys
        )
        if len(values) > 1 and not repeats:
            keys.append(key)
    return keys


def names_of(
    experiments: Sequence[Settings],
    keys: Sequence[str],
) -> list[str]:
    """Name experiments by the rule at the head of this module; the only experiment has no name.

    Args:
        experiments: the settings of each.
        keys: in which they differ.
    """
    words = _words_of(experiments, keys)
    names = ["" for _ in experiments]
    for key in keys:
        longer = [
            _extended(
                name,
                key,
                words[key],
                settings,
            )
            for name, settings in zip(names, experiments, strict=True)
        ]
        if len(set(longer)) > len(set(names)):
            names = longer
    return names


def labels_of(
    experiments: Sequence[Settings],
    keys: Sequence[str],
) -> list[dict[str, Label]]:
    """All settings in which experiments differ, as labels of their results.

    Args:
        experiments: the settings of each.
        keys: in which they differ.
    """
    words = _words_of(experiments, keys)
    return [
        {words[key]: as_label(settings[key]) for key in keys if key in settings}
        for settings in experiments
    ]


def _joined(names: Sequence[str]) -> str:
    """The names of the stages' explorations, once where all of them are the same."""
    return names[0] if len(set(names)) == 1 else " + ".join(names)


def _within(
    key: str,
    component: Mapping[str, object],
) -> dict[str, object]:
    """The settings of a component, and of the components inside of it, by their keys."""
    place = f"{key}({component['name']})"
    settings: dict[str, object] = {}
    for word, value in component.items():
        inner = f"{place}.{word}"
        if isinstance(value, dict) and "name" in value:
            settings[inner] = value["name"]
            settings |= _within(inner, value)
        elif word != "name":
            settings[inner] = value
    return settings


def _last_word(key: str) -> str:
    return key.rpartition(".")[2]


def _repeats(
    key: str,
    earlier: str,
    experiments: Iterable[Settings],
) -> bool:
    """Whether a setting says nothing that an earlier one has not said, by the same word."""
    if _last_word(key) != _last_word(earlier):
        return False
    missing = object()
    own = [settings for settings in experiments if key in settings]
    return all(its.get(earlier, missing) == its[key] for its in own)


def _words_of(
    experiments: Iterable[Settings],
    keys: Sequence[str],
) -> dict[str, str]:
    """What each key is called: its last word or, where that is ambiguous, the whole key."""
    unusable = set(RESERVED)
    for settings in experiments:
        times = Counter(_last_word(key) for key in keys if key in settings)
        unusable.update(word for word, count in times.items() if count > 1)
    words: dict[str, str] = {}
    for key in keys:
        word = _last_word(key)
        in_full = word in unusable and key not in PARTS
        words[key] = (
            re.sub(
                r"\([^)]*\)",
                "",
                key,
            )
            if in_full
            else word
        )
    return words


def _extended(
    name: str,
    key: str,
    word: str,
    settings: Settings,
) -> str:
    """A name with a setting added, where the experiment has that setting."""
    if key not in settings:
        return name
    value = as_label(settings[key])
    addition = f"{value}" if key in PARTS else f"{word}={value}"
    return f"{name}, {addition}" if name else addition
