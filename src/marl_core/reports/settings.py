"""The settings that make an experiment."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from marl_core.config.run import RunConfig
from marl_core.runs.changes import learning_config

#: Settings by their keys. A key names each component on its way in parentheses, so that equal keys
#: mean the same setting: ``host(ppo_ma).gamma``, ``stages.1.exploration(boltzmann).temperature``.
Settings = Mapping[str, object]

#: The parts that an experiment is made of, by their keys. Their values are names.
PARTS = ("host", "exploration", "environment")


def settings_of(
    config: RunConfig,
    code: Mapping[str, str] | None = None,
) -> Settings:
    """What must be equal for two runs to be repetitions of each other.

    Args:
        config: of a run.
        code: for each module that the config names, a text that is the same for equal code.
    """
    stages = range(len(config.stages))
    explorations = [config.stage_exploration(index) for index in stages]
    episodes = [str(stage.episodes) for stage in config.stages]
    settings: dict[str, object] = {
        "host": config.host.name,
        "exploration": _joined([exploration.name for exploration in explorations]),
        "environment": config.environment.name,
    }
    settings |= _within("environment", config.environment.model_dump(mode="json"))
    settings |= _within("host", config.host.model_dump(mode="json"))
    settings["optimizer"] = config.optimizer.name
    settings |= _within("optimizer", config.optimizer.model_dump(mode="json"))
    for index, exploration in enumerate(explorations):
        key = f"stages.{index}.exploration"
        settings |= _within(key, exploration.model_dump(mode="json"))
    settings["stages"] = " + ".join(episodes)
    training = learning_config(config.model_dump(mode="json"))["training"]
    for key, value in training.items():
        settings[f"training.{key}"] = value
    for module, value in (code or {}).items():
        settings[f"code.{module.replace('.', '/')}"] = value
    return settings


def identity(settings: Settings) -> str:
    """A text that is the same for equal settings only.

    Args:
        settings: of an experiment, or of a part of it.
    """
    return json.dumps(settings, sort_keys=True)


def _joined(names: Sequence[str]) -> str:
    """The names of the stages' explorations, once where all of them are the same."""
    if len(set(names)) == 1:
        return names[0]
    return " + ".join(names)


def _within(
    key: str,
    component: Mapping[str, object],
) -> dict[str, object]:
    """The settings of a component, and of the components inside of it, by their keys."""
    name = component["name"]
    settings: dict[str, object] = {}
    for word, value in component.items():
        inner = f"{key}({name}).{word}"
        if isinstance(value, dict) and "name" in value:
            settings[inner] = value["name"]
            settings |= _within(inner, value)
        elif word != "name":
            settings[inner] = value
    return settings
