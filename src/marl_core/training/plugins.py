"""The loggers and callbacks that a config names, made for a run."""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Sequence
from typing import Any

from lightning import Callback
from lightning.pytorch.loggers import Logger

from marl_core.config.plugins import CallbackConfig, LoggerConfig, PluginConfig
from marl_core.config.run import RunConfig
from marl_core.errors import UserError
from marl_core.runs.folder import RunFolder
from marl_core.types import Progress

#: What loggers call the project, if the config does not say otherwise.
_PROJECT = "marl"


def make_loggers(
    config: RunConfig, folder: RunFolder, progress: Progress
) -> list[Logger]:
    """The loggers of a run, beside ``metrics.csv``.

    Args:
        config: the run's.
        folder: the run's: what loggers write goes there, if nothing else is said.
        progress: how far the run is.

    Raises:
        UserError: one cannot be made.
    """
    wanted = list(config.loggers)
    named = {one.name for one in wanted}
    if config.training.tensorboard and "tensorboard" not in named:
        wanted.insert(0, LoggerConfig(name="tensorboard"))
    made: list[Logger] = []
    for one in wanted:
        if one.name != "csv":
            logger = _make(one, _defaults(one, folder, progress))
            if not isinstance(logger, Logger):
                raise _of_another_kind(one)
            made.append(logger)
    for logger in made:
        logger.log_hyperparams(config.model_dump(mode="json"))
    return made


def make_callbacks(configs: Sequence[CallbackConfig]) -> list[Callback]:
    """The callbacks that a config names.

    Args:
        configs: of a run.

    Raises:
        UserError: one cannot be made.
    """
    made: list[Callback] = []
    for one in configs:
        callback = _make(one, {})
        if not isinstance(callback, Callback):
            raise _of_another_kind(one)
        made.append(callback)
    return made


def _defaults(
    config: LoggerConfig,
    folder: RunFolder,
    progress: Progress,
) -> dict[str, Any]:
    """What a logger is told unless the config says otherwise."""
    path = folder.path
    match config.name:
        case "tensorboard":
            # Readers drop what an interrupted process logged from here on.
            purge = progress.episodes + 1 if progress.updates else 0
            return {
                "save_dir": path,
                "name": "",
                "version": "tensorboard",
                "purge_step": purge,
                "default_hp_metric": False,
            }
        case "wandb":
            # The same run when it is resumed, and no other.
            place = hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:8]
            own = {"id": f"{path.name}-{place}", "resume": "allow"}
            return {"save_dir": path, "name": path.name, "project": _PROJECT, **own}
        case "mlflow":
            place = f"file:{(path / 'mlruns').resolve()}"
            own = {"experiment_name": _PROJECT, "run_name": path.name}
            return {**own, "tracking_uri": place}
    found = config.find()
    assert found is not None, "only csv has no class"
    asked = inspect.signature(found).parameters
    return {"save_dir": path} if "save_dir" in asked else {}


def _make(
    config: PluginConfig,
    defaults: dict[str, Any],
) -> object:
    try:
        found = config.find()
        assert found is not None, "only csv has no class"
        made: object = found(**{**defaults, **config.settings})
    except (LookupError, ImportError, TypeError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise UserError(f"{config.what} '{config.name}': {reason}") from error
    return made


def _of_another_kind(config: PluginConfig) -> UserError:
    return UserError(f"'{config.name}' is no {config.what} of Lightning's")
