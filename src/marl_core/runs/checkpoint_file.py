"""Reading checkpoints. A file is data: nothing in it is executed."""

from __future__ import annotations

import errno
import io
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from marl_core.errors import UserError
from marl_core.runs.logged import Logged
from marl_core.runs.regular_files import read_bytes
from marl_core.runs.seal import seal_of
from marl_core.types import Progress

#: The version of what checkpoints hold. It goes up when an older one could not be read any more.
CHECKPOINT_FORMAT = 2
#: Under which a checkpoint that has been read says which file it is of.
SOURCE = "path"
#: What most files are expected to be.
_KIND = "checkpoint of a run"


class DamagedError(UserError):
    """A file is not what was written. An earlier checkpoint may do."""


def read_checkpoint(path: Path) -> dict[str, Any]:
    """A checkpoint of a run, on the CPU.

    Args:
        path: of the file.

    Raises:
        DamagedError: it is no checkpoint of a run, or not as it was written.
        UserError: it is of another version of this project.
        FileNotFoundError: there is none.
    """
    content = _content(path)
    seal = seal_of(content)
    if seal == "broken":
        raise _no_checkpoint(path, "it is damaged: its checksum is another one")
    saved = load_data(path, content)
    try:
        found = dict(saved["marl"]).get("format")
    except (LookupError, TypeError, ValueError) as error:
        raise _no_checkpoint(path, "it holds no training progress") from error
    if found != CHECKPOINT_FORMAT:
        raise UserError(_other_format(path, found))
    if seal == "none":
        raise _no_checkpoint(path, "it is damaged: its checksum is missing")
    try:
        _check_parts(saved)
    except (LookupError, TypeError, ValueError) as error:
        raise _no_checkpoint(path, "it holds no training progress") from error
    return saved


def read_tensors(path: Path) -> dict[str, Any]:
    """A sealed file of named tensors, on the CPU.

    Args:
        path: of the file.

    Raises:
        DamagedError: it is not as it was written.
    """
    content = _content(path)
    if seal_of(content) != "whole":
        raise DamagedError(f"{path}: this file is damaged: its checksum does not fit")
    return load_data(path, content)


@contextmanager
def fitting(path: str | Path) -> Iterator[None]:
    """Inside of it, whatever of a checkpoint is not as it should be is refused in one line.

    Args:
        path: of the checkpoint.

    Raises:
        UserError: something is not as it should be.
    """
    try:
        yield
    except (ValueError, LookupError, TypeError, AttributeError, RuntimeError) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        message = "the checkpoint does not fit the run's config"
        raise UserError(f"{path}: {message}: {reason}") from error


def source_of(saved: Mapping[str, Any]) -> str:
    """The file that a checkpoint has been read from.

    Args:
        saved: the checkpoint's content.
    """
    return str(saved["marl"].get(SOURCE, "checkpoint"))


def logged_at(saved: Mapping[str, Any]) -> Logged:
    """What had been logged when a checkpoint was written.

    Args:
        saved: the checkpoint's content.
    """
    return Logged(**saved["marl"]["logged"])


def _content(path: Path) -> bytes:
    try:
        return read_bytes(path)
    except OSError as error:
        if error.errno != errno.EIO:
            raise
        raise DamagedError(f"{path}: the disk cannot read it any more") from error


def load_data(
    path: Path,
    content: bytes,
    kind: str = _KIND,
) -> dict[str, Any]:
    """What a file holds that ``torch.save`` wrote, as data.

    Args:
        path: of the file, for messages.
        content: its bytes.
        kind: what it is expected to be.

    Raises:
        DamagedError: it is nothing of that kind.
    """
    try:
        with warnings.catch_warnings():
            # torch wonders about files that are refused anyway.
            warnings.simplefilter("ignore")
            saved = torch.load(
                io.BytesIO(content),
                map_location="cpu",
                weights_only=True,
            )
    except Exception as error:  # whatever torch makes of bytes that are no checkpoint
        raise _not_of(kind, path, type(error).__name__) from error
    if not isinstance(saved, dict):
        raise _not_of(kind, path, f"it is a {type(saved).__name__}")
    return saved


def _check_parts(saved: dict[str, Any]) -> None:
    """See that everything is there; errors are those of a missing part."""
    Progress(**saved["marl"]["progress"])
    logged_at(saved)
    parts = [saved["state_dict"], saved["optimizer_states"][0], saved["marl"]["config"]]
    for part in (*parts, *saved["marl"]["ranks"]):
        dict(part)  # each of them is a mapping


def _other_format(path: Path, found: object) -> str:
    older = not isinstance(found, int) or found < CHECKPOINT_FORMAT
    written = "an older" if older else "a newer"
    return (
        f"{path}: this checkpoint was written by {written} version of this project "
        f"(format {found or 0}, and this version reads format {CHECKPOINT_FORMAT}); "
        "versions.json beside it says which version and commit to go on with"
    )


def _no_checkpoint(path: Path, reason: str) -> DamagedError:
    return _not_of(_KIND, path, reason)


def _not_of(kind: str, path: Path, reason: str) -> DamagedError:
    return DamagedError(f"{path}: this is no {kind} ({reason})")
