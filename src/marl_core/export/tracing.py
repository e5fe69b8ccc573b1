"""From a module to a program of torch.export, of what it needs alone."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram
from torch.export.graph_signature import InputKind

from marl_core.errors import UserError

#: The name of the axis that a program leaves open.
GAMES = "games"


class Traced(NamedTuple):
    """A program, and what it takes.

    Attributes:
        program: the program.
        inputs: an example of each input, by its name.
    """

    program: ExportedProgram
    inputs: dict[str, Tensor]


class _Unused(NamedTuple):
    """What a program does not look at: parameters and buffers, and inputs, by their names."""

    tensors: list[str]
    inputs: set[str]


def trace(module: nn.Module, inputs: dict[str, Tensor]) -> Traced:
    """The module as a program, for any number of games.

    A first try finds out which parameters and inputs there are in vain: critics, mixing networks,
    targets. The program is then made without them.

    Args:
        module: from a dict of tensors to another.
        inputs: an example of each input, leading axis E.

    Raises:
        UserError: the module does what torch cannot export, such as branching on values.
    """
    try:
        unused = _unused(_exported(module, inputs), inputs)
        needed = {k: v for k, v in inputs.items() if k not in unused.inputs}
        with _emptied(module, unused.tensors):
            return Traced(_exported(module, needed), needed)
    except UserError:
        raise
    # torch has a dozen kinds of errors here, and a host may raise any other.
    except Exception as error:
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise UserError(
            f"this host cannot be exported: torch says: {reason}"
        ) from error


def _exported(module: nn.Module, inputs: dict[str, Tensor]) -> ExportedProgram:
    games = Dim(GAMES)
    axes = {name: {0: games} for name in inputs}
    with torch.no_grad(), quiet():
        return torch.export.export(module, (inputs,), dynamic_shapes=(axes,))


def _unused(program: ExportedProgram, inputs: Iterable[str]) -> _Unused:
    nodes = [node for node in program.graph.nodes if node.op == "placeholder"]
    in_vain = {node.name for node in nodes if not node.users}
    tensors, given = [], []
    for spec in program.graph_signature.input_specs:
        name = getattr(spec.arg, "name", "")
        if spec.kind == InputKind.USER_INPUT:
            given.append(name in in_vain)
        elif spec.target is not None and name in in_vain:
            tensors.append(spec.target)
    names = zip(inputs, given, strict=True)
    return _Unused(tensors, {name for name, vain in names if vain})


@contextmanager
def _emptied(module: nn.Module, names: Sequence[str]) -> Iterator[None]:
    """Inside of it, some parameters and buffers hold no numbers."""
    kept = {}
    for name in names:
        owner, _, last = name.rpartition(".")
        room = module.get_submodule(owner)
        holder = room._parameters if last in room._parameters else room._buffers
        tensor = holder[last]
        assert tensor is not None
        kept[name] = (holder, last, tensor)
        empty = tensor.detach().new_empty(0)
        # As parameters, so that the module's state dict has the same names.
        is_parameter = isinstance(tensor, nn.Parameter)
        frozen = nn.Parameter(empty, requires_grad=False) if is_parameter else empty
        holder[last] = frozen  # type: ignore[assignment]
    try:
        yield
    finally:
        for holder, last, tensor in kept.values():
            holder[last] = tensor  # type: ignore[assignment]


@contextmanager
def quiet() -> Iterator[None]:
    """Inside of it nothing is warned of: exporting tells of what users cannot change."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
