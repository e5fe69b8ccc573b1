"""Whether the code that a run was begun with is still the same."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from marl_core.config.module_folders import modules_in
from marl_core.errors import UserError
from marl_core.notes import note
from marl_core.runs.folder import RunFolder
from marl_core.runs.source_files import Sources, digest, hash_of, sources_of
from marl_core.runs.whole_writes import write_whole


def code_of_run(folder: RunFolder) -> dict[str, str]:
    """A short text for each module that a run's config names: equal for equal code.

    Args:
        folder: the run's. Nothing of it is imported.
    """
    return {name: digest(files) for name, files in recorded(folder).items()}


def recorded(folder: RunFolder) -> Sources:
    """The files that the run was begun with, as ``versions.json`` says; empty where it does not.

    Args:
        folder: the run's.
    """
    try:
        said = json.loads(folder.versions.read_bytes())["sources"]
        return {str(name): _texts(files) for name, files in said.items()}
    except (
        OSError,
        ValueError,
        LookupError,
        TypeError,
        AttributeError,
        RecursionError,
    ):
        return {}  # an older run's, or provenance is lost


def _texts(files: dict[object, object]) -> dict[str, str]:
    return {str(file): str(value) for file, value in files.items()}


def changed_source(folder: RunFolder) -> str | None:
    """The first file that is not what it was when the run began; None: there is none.

    Files that are gone do not count: a module may have moved, and whatever is imported in its place
    is looked at too.

    Args:
        folder: the run's. Nothing of it is imported.
    """
    for name, files in recorded(folder).items():
        for file, value in files.items():
            if hash_of(Path(file)) not in (value, None):
                return file
        loaded = _loaded_file(name)
        if loaded is not None and hash_of(loaded) not in files.values():
            return str(loaded)
    return None


def _loaded_file(name: str) -> Path | None:
    file = getattr(sys.modules.get(name), "__file__", None)
    return Path(file) if isinstance(file, str) else None


def check_sources(folder: RunFolder, *, changed_code: bool = False) -> None:
    """Refuse to go on with other code than the run began with.

    It is asked twice: before anything is imported, and once the modules are there.

    Args:
        folder: the run's.
        changed_code: go on all the same, and remember the code as it is now.

    Raises:
        UserError: a file has changed.
    """
    if changed_source(folder) is not None and changed_code:
        note(f"{folder.path}: the run goes on with changed code")
        _remember(folder)
    _check(folder)
    if recorded(folder):
        folder.load_config()
        _check(folder)


def _check(folder: RunFolder) -> None:
    changed = changed_source(folder)
    if changed is not None:
        message = (
            f"{changed} is not what it was when the run began; a run goes on as it began: "
            "`marl resume --changed-code` (changed_code=True in Python) goes on all the same"
        )
        raise UserError(f"{folder.path}: {message}")


def _remember(folder: RunFolder) -> None:
    """Have ``versions.json`` say what the code is now, and what it was."""
    with modules_in(folder.module_folders()):
        now = sources_of(folder.load_config())
    said = json.loads(folder.versions.read_bytes())
    earlier = [*said.get("earlier_sources", []), said["sources"]]
    said |= {"sources": now, "earlier_sources": earlier}
    write_whole(folder.versions, json.dumps(said, indent=2).encode())


def note_changed_sources(folder: RunFolder) -> None:
    """Say where a policy is looked at with other code than it was trained with.

    Args:
        folder: the run's.
    """
    changed = changed_source(folder)
    if changed is not None:
        message = f"{changed} is not what it was when the run began"
        note(f"{folder.path}: {message}; what you see may not be what was trained")
