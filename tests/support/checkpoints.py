"""Checkpoints made by hand."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from marl_core.runs.seal import sealed


def write_checkpoint(saved: Mapping[str, Any], path: Path) -> None:
    """Write a checkpoint as a run would, with its checksum."""
    content = io.BytesIO()
    torch.save(dict(saved), content)
    path.write_bytes(sealed(content.getvalue()))


def rewrite(path: Path, change: Any) -> None:
    """Have a checkpoint hold something else."""
    saved = torch.load(path, weights_only=True)
    change(saved)
    write_checkpoint(saved, path)
