"""The config and the folder of a run that shall begin."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from marl_core.config.overrides import Override, Overrides
from marl_core.config.run import RunConfig
from marl_core.config.yaml_file import RunSource
from marl_core.runs.changes import affects_learning
from marl_core.training.place import Place

#: What ``train`` takes: a YAML file, a config, or plain values as a file would give them.
AnyConfig = str | Path | RunConfig | Mapping[str, Any]

#: Where a run is trained, for the other processes of the same run.
_FOLDER_VARIABLE = "MARL_RUN_DIR"
_LONGEST_NAME = 100


def source_of(
    config: AnyConfig,
    settings: Overrides = (),
) -> RunSource:
    """Where a run's config comes from.

    Args:
        config: a YAML file, a config, or plain values as a file would give them.
        settings: said over the config.

    Raises:
        UserError: the file or a setting cannot be read.
    """
    if isinstance(config, RunConfig):
        return RunSource.of_values(config.model_dump(mode="json"), settings)
    if isinstance(config, Mapping):
        return RunSource.of_values(config, settings)
    return RunSource.of_file(Path(config), settings)


def default_folder(
    source: RunSource,
    config: RunConfig,
) -> Path:
    """The folder of a run that was given none: ``runs/NAME-SETTINGS-seedSEED``.

    Args:
        source: where the config comes from. Of the settings over it, the name has those that
            affect what is learnt.
        config: the run's.
    """
    stem = Path(source.name).stem
    chosen = {_shown(one): None for one in source.overrides if _counts(one)}
    name = "-".join([stem, *chosen, f"seed{config.seed}"])
    if len(name) > _LONGEST_NAME:
        digest = hashlib.sha256(name.encode()).hexdigest()[:8]
        name = f"{name[:_LONGEST_NAME]}-{digest}-seed{config.seed}"
    return Path("runs") / name


def _counts(override: Override) -> bool:
    return override.keys != ("seed",) and affects_learning(override.keys)


def _shown(override: Override) -> str:
    """``environment.agents=15`` as ``agents=15``; of a stage ``stage1.episodes=512``."""
    keys = [str(key) for key in override.keys]
    word = keys[-1]
    if keys[0] == "stages" and len(keys) > 2:
        word = f"stage{keys[1]}.{word}"
    value = override.value
    if isinstance(value, Mapping) and "name" in value:
        value = value["name"]
    return re.sub(r"[^\w.=+-]+", "_", f"{word}={value}").strip("_")


@contextmanager
def shared_folder(chosen: Path, place: Place) -> Iterator[Path]:
    """The folder of a run, the same in all processes that train it.

    Args:
        chosen: by this process. Those that it starts for the run take what it chose.
        place: of this process.
    """
    before = os.environ.get(_FOLDER_VARIABLE)
    if before and place.was_started:
        yield Path(before)
        return
    os.environ[_FOLDER_VARIABLE] = str(chosen.resolve())
    try:
        yield chosen
    finally:
        if before is None:
            os.environ.pop(_FOLDER_VARIABLE, None)
        else:
            os.environ[_FOLDER_VARIABLE] = before
