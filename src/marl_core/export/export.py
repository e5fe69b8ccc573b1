"""``marl export``: a run's newest policy as a file."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from marl_core.errors import UserError
from marl_core.export.beginning import Beginning, beginning
from marl_core.export.formats import check_export, content_of, runner_of
from marl_core.export.parity import check_parity
from marl_core.export.team_program import TeamProgram
from marl_core.export.tracing import GAMES, Traced, trace
from marl_core.run_state import RunState
from marl_core.runs.assembly import newest_state
from marl_core.runs.folder import RunFolder
from marl_core.runs.provenance import DISTRIBUTION, installed_version
from marl_core.runs.whole_writes import write_output

#: With how many games a program is made. It takes any number; torch takes 0 and 1 for special.
_EXAMPLES = 3
#: What the metadata's shape is called; it changes when a reader would have to.
FORMAT = "marl team 1"


def export_run(folder: RunFolder, out: Path) -> dict[str, Any]:
    """Write the policy of a run's newest checkpoint as a program that needs no framework.

    Resonance is not in it. What is written is run on random observations first, and compared with
    the host.

    Args:
        folder: of the run; it stays as it is.
        out: the file: ``.pt2`` for torch.export, ``.onnx`` for ONNX. An existing one is replaced.

    Returns:
        What is known of the policy, which the file holds as well.

    Raises:
        UserError: there is no checkpoint, the host cannot be exported, the program is not what the
            host is, or the file cannot be written.
    """
    kind = check_export(out)
    state = newest_state(folder)
    return export_state(state, out, kind)


def export_state(state: RunState, out: Path, kind: str) -> dict[str, Any]:
    """Write the policy of a run as it is at a checkpoint.

    Args:
        state: the run.
        out: the file.
        kind: its format, ``pt2`` or ``onnx``.

    Returns:
        What is known of the policy.

    Raises:
        UserError: the host cannot be exported, or the program is not what the host is.
    """
    if state.spec.box is not None:
        message = "policies over numbers in a box cannot be exported yet"
        raise UserError(f"{message}: load(run).policy() acts by them")
    module = TeamProgram(state).eval()
    begun = beginning(state, _EXAMPLES)
    traced = trace(module, begun.inputs)
    metadata = _metadata(state, begun, traced)
    content = content_of(kind, traced, metadata)
    with torch.no_grad():
        check_parity(module, runner_of(kind, content), traced.inputs)
    write_output(out, content, "policy")
    return metadata


def _metadata(state: RunState, begun: Beginning, traced: Traced) -> dict[str, Any]:
    with torch.no_grad():
        outputs = traced.program.module()(dict(traced.inputs))
    return {
        "format": FORMAT,
        "config": state.config.model_dump(mode="json"),
        "spec": asdict(state.spec),
        "episodes": state.progress.episodes,
        "action_names": begun.action_names,
        "inputs": _described(traced.inputs),
        "outputs": _described(outputs),
        "versions": {
            "python": platform.python_version(),
            "torch": torch.__version__,
            DISTRIBUTION: installed_version(),
        },
    }


def _described(tensors: Mapping[str, Tensor]) -> dict[str, Any]:
    """Types and shapes, by name."""
    return {
        name: {
            "dtype": str(value.dtype).removeprefix("torch."),
            "shape": [GAMES, *value.shape[1:]],
        }
        for name, value in tensors.items()
    }
