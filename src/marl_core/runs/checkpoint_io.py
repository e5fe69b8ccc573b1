"""Checkpoint files that are written whole."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any, final

import torch
from lightning.fabric.plugins.io.torch_io import TorchCheckpointIO

from marl_core.runs.checkpoints import Checkpoints
from marl_core.runs.seal import sealed
from marl_core.runs.whole_writes import write_whole


@final
class WholeCheckpointIO(TorchCheckpointIO):
    """Lightning's checkpoint files, with a checksum, and replaced in one step, so that a kill never
    leaves half a checkpoint. The one before is kept.
    """

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: Any, storage_options: Any | None = None
    ) -> None:
        """Write beside the old file, then take its place.

        Args:
            checkpoint: what to save.
            path: of the newest checkpoint of a run, or of one that is kept beside it.
            storage_options: Lightning's; unused.
        """
        content = io.BytesIO()
        torch.save(checkpoint, content)
        whole = sealed(content.getvalue())
        checkpoints = Checkpoints(Path(path).parent)
        if Path(path) == checkpoints.newest:
            checkpoints.write(whole)
        else:
            write_whole(Path(path), whole)
