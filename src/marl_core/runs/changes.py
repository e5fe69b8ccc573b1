"""What of a config affects learning: the one place that knows it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from marl_core.base_config import Code, validate_strictly
from marl_core.config.run import RunConfig
from marl_core.errors import Location, UserError, dotted

#: Settings of ``training`` that do not affect what is learnt. They may change before a run goes on.
FREE_TRAINING_SETTINGS = frozenset(
    {
        "evaluate_every",
        "evaluation_episodes",
        "log_every",
        "checkpoint_every",
        "threads",
        "tensorboard",
        "record_policies",
        "keep",
    }
)
#: The parts of a config that only watch.
FREE_PARTS = frozenset({"loggers", "callbacks"})


def learning_config(config: Mapping[str, Any]) -> dict[str, Any]:
    """What of a config affects learning.

    Args:
        config: a run's, as JSON.
    """
    kept = {key: value for key, value in config.items() if key not in FREE_PARTS}
    training = kept.get("training")
    if isinstance(training, Mapping):
        kept["training"] = {
            key: value
            for key, value in training.items()
            if key not in FREE_TRAINING_SETTINGS
        }
        _count_processes(kept["training"])
    return kept


def _count_processes(training: dict[str, Any]) -> None:
    """Put all processes in the place of those of a machine: where they run makes no difference."""
    nodes = training.pop("num_nodes", 1)
    devices = training.get("devices", 1)
    if isinstance(nodes, int) and isinstance(devices, int) and nodes > 1:
        training["devices"] = devices * nodes


def affects_learning(keys: Location) -> bool:
    """Whether a setting affects what is learnt.

    Args:
        keys: of the setting, as ``("training", "threads")``.
    """
    if keys[0] in FREE_PARTS:
        return False
    if keys[0] != "training" or len(keys) == 1:
        return True
    return keys[1] not in FREE_TRAINING_SETTINGS


def check_unchanged(
    config: RunConfig,
    saved: Mapping[str, Any],
    path: Path,
) -> None:
    """Refuse to resume by another config than the one that a checkpoint was written by.

    Stages to come may change.

    Args:
        config: by which the run shall go on.
        saved: the checkpoint's ``config`` and ``progress``.
        path: the config's file, for the message.

    Raises:
        UserError: a setting that affects learning is another one.
    """
    begun = saved["progress"]["stage"] + 1
    changed = first_change(config, saved["config"], begun)
    if changed is not None:
        then = "is not what it was when the checkpoint was written"
        raise UserError(f"{path}: {changed} {then}; a run goes on as it began")


def first_change(
    config: RunConfig,
    before: Mapping[str, Any],
    stages: int | None = None,
) -> str | None:
    """The first setting by which a run would learn something else than another run.

    What ``before`` does not mention was its default, so a new setting must default to the old
    behaviour.

    Args:
        config: a run's.
        before: the other run's, as JSON.
        stages: how many of the stages count, from the first; None: all.

    Returns:
        Its dotted key; None where both runs learn the same.
    """
    now = _compared(config.model_dump(mode="json"), stages)
    then = _compared(_completed(before), stages)
    changed = _first_difference(now, then)
    return None if changed is None else dotted(changed)


def _compared(
    config: Mapping[str, Any],
    stages: int | None,
) -> dict[str, Any]:
    kept = learning_config(config)
    kept["stages"] = kept["stages"][:stages]
    return kept


def _completed(config: Mapping[str, Any]) -> dict[str, Any]:
    """A config as JSON with all that it leaves out; as it is where it is no config any more."""
    choices: tuple[Code, ...] = ("known", "leave")
    for (
        code
    ) in choices:  # it may come from a file of others: nothing is imported for it
        try:
            completed = validate_strictly(RunConfig, config, code)
            return completed.model_dump(mode="json")
        except (ValidationError, UserError):
            continue
    return dict(config)


def _first_difference(
    now: Any,
    before: Any,
) -> Location | None:
    """Where two configs first differ; None where they are equal."""
    pairs = _pairs(now, before)
    if pairs is None:
        return None if now == before else ()
    for key, one, other in pairs:
        deeper = _first_difference(one, other)
        if deeper is not None:
            return (key, *deeper)
    return None


def _pairs(
    now: Any,
    before: Any,
) -> list[tuple[Any, Any, Any]] | None:
    """The parts of two configs side by side; None where they cannot be compared part by part."""
    if isinstance(now, dict) and isinstance(before, dict):
        keys = dict.fromkeys([*now, *before])
        return [(key, now.get(key), before.get(key)) for key in keys]
    if not isinstance(now, list) or not isinstance(before, list):
        return None
    if len(now) != len(before):
        return None
    parts = zip(now, before, strict=True)
    return [(index, one, other) for index, (one, other) in enumerate(parts)]
