"""The kinds of files that a policy can be exported to, by the ending of the name."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from marl_core.errors import UserError
from marl_core.export.tracing import GAMES, Traced, quiet
from marl_core.runs.whole_writes import check_output

#: Runs what is in a file: from inputs to outputs, by their names.
Runner = Callable[[Mapping[str, Tensor]], dict[str, Tensor]]

#: The name under which a file holds what is known of it: an extra file, or a property of the model.
METADATA = "marl.json"
#: What ONNX needs: an extra of this package brings it.
_FOR_ONNX = ("onnx", "onnxscript", "onnxruntime")
_KINDS = ("onnx", "pt2")


def check_export(out: Path) -> str:
    """Refuse what cannot be written, before any work is done.

    Args:
        out: the file; its ending says the format.

    Returns:
        The format: ``pt2`` or ``onnx``.

    Raises:
        UserError: the ending is another one, what the format needs is not installed, or no file can
            be written there.
    """
    kind = out.suffix.removeprefix(".").lower()
    if kind not in _KINDS:
        found = f"'.{kind}' is none" if kind else "the name has none"
        message = f"the ending says what to write, but {found} of {', '.join(_KINDS)}"
        raise UserError(f"{out}: {message}")
    missing = [name for name in _FOR_ONNX if find_spec(name) is None]
    if kind == "onnx" and missing:
        advice = "`pip install 'policy-resonance[onnx]'` brings it; .pt2 needs nothing"
        raise UserError(f"{out}: ONNX needs {', '.join(missing)}; {advice}")
    check_output(out, "policy")
    return kind


def content_of(kind: str, traced: Traced, metadata: Mapping[str, Any]) -> bytes:
    """The whole file.

    Args:
        kind: the format.
        traced: the program.
        metadata: what is known of it.
    """
    said = json.dumps(metadata, indent=1)
    with quiet():
        return _onnx(traced, said) if kind == "onnx" else _pt2(traced, said)


def runner_of(kind: str, content: bytes) -> Runner:
    """What runs the content of a file, as somebody would who has nothing but the file.

    Args:
        kind: the format.
        content: of the file.
    """
    return _onnx_runner(content) if kind == "onnx" else _pt2_runner(content)


def _pt2(traced: Traced, metadata: str) -> bytes:
    file = io.BytesIO()
    torch.export.save(traced.program, file, extra_files={METADATA: metadata})
    return file.getvalue()


def _pt2_runner(content: bytes) -> Runner:
    with quiet():
        module = torch.export.load(io.BytesIO(content)).module()

    def run(inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        outputs: dict[str, Tensor] = module(dict(inputs))
        return outputs

    return run


def _onnx(traced: Traced, metadata: str) -> bytes:
    with torch.no_grad():
        outputs = traced.program.module()(dict(traced.inputs))
        made = torch.onnx.export(
            traced.program,
            (traced.inputs,),
            input_names=list(traced.inputs),
            output_names=list(outputs),
            dynamo=True,
            verbose=False,
        )
    assert made is not None
    graph = made.model.graph
    for value in (*graph.inputs, *graph.outputs):
        # torch calls the open axis by a symbol of its own.
        assert value.shape is not None
        value.shape[0] = GAMES
    made.model.metadata_props[METADATA] = metadata
    return bytes(made.model_proto.SerializeToString())


def _onnx_runner(content: bytes) -> Runner:
    import onnxruntime

    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]

    def run(inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        given = {name: value.numpy() for name, value in inputs.items()}
        outputs = session.run(names, given)
        found = [torch.from_numpy(value) for value in outputs]
        return dict(zip(names, found, strict=True))

    return run
