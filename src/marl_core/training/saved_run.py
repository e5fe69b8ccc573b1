"""What a checkpoint holds beside Lightning's own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from torch import nn

from marl_core.run_state import RunState
from marl_core.runs.assembly import HOST_PREFIX
from marl_core.runs.checkpoint_file import CHECKPOINT_FORMAT
from marl_core.runs.logged import Logged

#: What Lightning counts in its checkpoints is of the current fit, and fits end where a run is
#: interrupted.
_COUNTS_OF_THE_FIT = ("epoch", "global_step", "loops", "callbacks", "lr_schedulers")


def add_run(
    checkpoint: dict[str, Any],
    state: RunState,
    logged: Logged,
    everyone: Sequence[Any],
) -> None:
    """Add what Lightning does not know of, and take away what is of the fit alone.

    Args:
        checkpoint: Lightning's; is changed.
        state: the run as it is now.
        logged: what has been logged until now.
        everyone: the generators and games of each rank; on other ranks than the first, which do
            not write, only their own.
    """
    for count in _COUNTS_OF_THE_FIT:
        checkpoint.pop(count, None)
    if not isinstance(state.host, nn.Module):
        for name, value in state.host.state_dict().items():
            checkpoint["state_dict"][HOST_PREFIX + name] = value
    checkpoint["marl"] = {
        "format": CHECKPOINT_FORMAT,
        "progress": asdict(state.progress),
        "logged": asdict(logged),
        "ranks": list(everyone),
        "config": state.config.model_dump(mode="json"),
    }
