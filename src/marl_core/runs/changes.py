"""What of a config affects learning, and whether a config goes on as the run that it continues."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from marl_core.base_config import validate_strictly
from marl_core.config.run import RunConfig
from marl_core.errors import Location, UserError, dotted

#: What of ``training`` makes no difference to what is learnt, and so may be changed before a run goes on.
_FREE = {
    "evaluate_every",
    "evaluation_episodes",
    "log_every",
    "checkpoint_every",
    "threads",
    "tensorboard",
    "record_policies",
}


def check_unchanged(config: RunConfig, saved: Mapping[str, Any], path: Path) -> None:
    """Refuse to resume by another config than the one that a checkpoint was written by; stages to come may change.

    Args:
        config: by which the run shall go on.
        saved: the checkpoint's ``config`` and ``progress``.
        path: the config's file, for the message.
    """
    changed = first_change(config, saved["config"], saved["progress"]["stage"] + 1)
    if changed is not None:
        raise UserError(
            f"{path}: {changed} is not what it was when the checkpoint was written; a run goes on as it began"
        )


def first_change(config: RunConfig, before: Mapping[str, Any], stages: int | None = None) -> str | None:
    """The first key, dotted, in which a run by ``config`` would learn something else than one by ``before``, or None.

    What ``before`` does not mention was its default: settings that came later keep, by default, what was before them.

    Args:
        config: a run's.
        before: another run's, as JSON.
        stages: how many of the stages count, from the first; None: all.
    """
    now, then = config.model_dump(mode="json"), _completed(before)
    for parts in (now, then):
        parts["stages"] = parts["stages"][:stages]
        parts["training"] = {key: value for key, value in parts["training"].items() if key not in _FREE}
    changed = _first_difference(now, then)
    return None if changed is None else dotted(changed)


def _completed(config: Mapping[str, Any]) -> dict[str, Any]:
    """A config as JSON with all that it leaves out; as it is where it is no config any more."""
    try:
        return validate_strictly(RunConfig, config).model_dump(mode="json")
    except (ValidationError, UserError):
        return dict(config)


def _first_difference(now: Any, before: Any) -> Location | None:
    """Where two configs first differ; None where they are equal."""
    if isinstance(now, dict) and isinstance(before, dict):
        keys: list[Any] = [*now, *(key for key in before if key not in now)]
        pairs = [(key, now.get(key), before.get(key)) for key in keys]
    elif isinstance(now, list) and isinstance(before, list) and len(now) == len(before):
        pairs = [(index, *pair) for index, pair in enumerate(zip(now, before, strict=True))]
    else:
        return None if now == before else ()
    for key, *pair in pairs:
        deeper = _first_difference(*pair)
        if deeper is not None:
            return (key, *deeper)
    return None
