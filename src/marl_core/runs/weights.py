"""Parameters from a file that need not be of a run of this version."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from marl_core.errors import UserError
from marl_core.runs.assembly import HOST_PREFIX
from marl_core.runs.checkpoint_file import DamagedError, load_data
from marl_core.runs.checkpoints import Checkpoints
from marl_core.runs.regular_files import read_bytes
from marl_core.runs.seal import seal_of


def read_weights(path: Path) -> dict[str, Tensor]:
    """The parameters of a host, as a run or a program of another origin has saved them.

    Args:
        path: a run folder, whose newest checkpoint is read; a checkpoint of any version of this
            project, or of Lightning; or a file that ``torch.save`` wrote from a state dict.
            It is read as data: nothing in it is executed.

    Raises:
        UserError: there is no such file, or it holds no parameters.
    """
    file = path
    if path.is_dir():
        file = Checkpoints(path / "checkpoints").newest
        if not file.exists():
            raise UserError(f"{path}: no run with a checkpoint is in this folder")
    try:
        content = read_bytes(file)
    except OSError as error:
        reason = (error.strerror or type(error).__name__).lower()
        raise UserError(f"{file}: cannot read the weights: {reason}") from error
    if seal_of(content) == "broken":
        raise DamagedError(f"{file}: this file is damaged: its checksum is another one")
    found = _of_host(load_data(file, content, "file of weights"))
    if not found:
        raise UserError(f"{file}: there are no named tensors in this file")
    return found


def _of_host(saved: Mapping[str, Any]) -> dict[str, Tensor]:
    state = saved.get("state_dict", saved)
    if not isinstance(state, Mapping):
        return {}
    tensors = {
        str(name): value for name, value in state.items() if isinstance(value, Tensor)
    }
    of_host = {
        name.removeprefix(HOST_PREFIX): value
        for name, value in tensors.items()
        if name.startswith(HOST_PREFIX)
    }
    return of_host or tensors
