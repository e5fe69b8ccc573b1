"""Reading checkpoints. A file is data: nothing in it is executed."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import torch

from marl_core.errors import UserError
from marl_core.types import Progress

#: The version of what checkpoints hold. It goes up when an older one could not be read any more.
CHECKPOINT_FORMAT = 1


def read_checkpoint(path: Path) -> dict[str, Any]:
    """A checkpoint of a run, on the CPU.

    Args:
        path: of the file.

    Raises:
        UserError: it is no checkpoint of a run, or of another version of this project.
    """
    saved = _loaded(path)
    try:
        found = dict(saved["marl"]).get("format")
    except (LookupError, TypeError, ValueError) as error:
        raise _no_checkpoint(path, "it holds no training progress") from error
    if found != CHECKPOINT_FORMAT:
        raise UserError(_other_format(path, found))
    try:
        _check_parts(saved)
    except (LookupError, TypeError, ValueError) as error:
        raise _no_checkpoint(path, "it holds no training progress") from error
    return saved


def _loaded(path: Path) -> dict[str, Any]:
    try:
        with warnings.catch_warnings():
            # torch wonders about files that are refused anyway.
            warnings.simplefilter("ignore")
            saved = torch.load(
                path,
                map_location="cpu",
                weights_only=True,
            )
    except Exception as error:  # whatever torch makes of bytes that are no checkpoint
        raise _no_checkpoint(path, type(error).__name__) from error
    if not isinstance(saved, dict):
        raise _no_checkpoint(path, f"it is a {type(saved).__name__}")
    return saved


def _check_parts(saved: dict[str, Any]) -> None:
    """See that everything is there; errors are those of a missing part."""
    Progress(**saved["marl"]["progress"])
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


def _no_checkpoint(path: Path, reason: str) -> UserError:
    return UserError(f"{path}: this is no checkpoint of a run ({reason})")
