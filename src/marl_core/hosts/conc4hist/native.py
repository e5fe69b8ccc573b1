"""The arithmetic of ``attend`` as compiled code; see ``attention.cpp``."""

from __future__ import annotations

import ctypes
from functools import cache
from importlib.resources import files
from typing import final

import torch
from jaxtyping import Float, Int
from torch import Tensor

from marl_core.compiled_code import library
from marl_core.hosts.conc4hist.gradients import Gradients
from marl_core.hosts.conc4hist.outputs import Outputs
from marl_core.hosts.conc4hist.tiles import Inputs


@final
class NativeAttention:
    """Calls the compiled code for one shape of networks.

    Args:
        features: F.
        width: W.
    """

    def __init__(self, features: int, width: int) -> None:
        code = files(__package__).joinpath("attention.cpp")
        self._library = library(
            code.read_text(encoding="utf-8"),
            {"FEATURES": features, "WIDTH": width},
        )

    @staticmethod
    def of(inputs: Inputs) -> NativeAttention:
        """The code for some inputs, compiled at most once.

        Args:
            inputs: of all samples.

        Raises:
            UserError: this machine cannot compile it.
        """
        return _compiled(*inputs.weight.shape)

    def outputs(
        self,
        inputs: Inputs,
        index: Int[Tensor, "B J"],
        found: Outputs,
    ) -> None:
        """Fill in what ``attend`` gives.

        Args:
            inputs: of all samples.
            index: the rows of each sample's entities.
            found: where the results go.
        """
        self._library.outputs(
            *_arguments(inputs, index, found.places),
            _pointer(found.mean),
            _pointer(found.weights),
            _pointer(found.chosen),
            _pointer(found.places),
        )

    def gradients(
        self,
        inputs: Inputs,
        index: Int[Tensor, "B J"],
        weights: Float[Tensor, "B J"],
        places: Int[Tensor, "B k"],
        found: Gradients,
    ) -> None:
        """Add up the gradients of all samples.

        Args:
            inputs: of all samples.
            index: the rows of each sample's entities.
            weights: the attention.
            places: the chosen entities.
            found: where the results go.
        """
        by_mean = found.by_mean.contiguous()
        by_chosen = found.by_chosen.contiguous()
        self._library.gradients(
            *_arguments(inputs, index, places),
            _pointer(weights),
            _pointer(places),
            _pointer(by_mean),
            _pointer(by_chosen),
            ctypes.c_int(found.first_layer),
            _pointer(found.query),
            _pointer(found.weight),
            _pointer(found.bias),
        )


@cache
def _compiled(features: int, width: int) -> NativeAttention:
    return NativeAttention(features, width)


def _arguments(
    inputs: Inputs,
    index: Int[Tensor, "B J"],
    places: Int[Tensor, "B k"],
) -> list[object]:
    """The arguments that both functions begin with."""
    samples, entities = index.shape
    return [
        _pointer(inputs.rows),
        ctypes.c_int64(len(inputs.rows) - 1),
        _pointer(index),
        ctypes.c_int64(samples),
        ctypes.c_int(entities),
        ctypes.c_int(places.shape[1]),
        _pointer(inputs.query),
        _pointer(inputs.weight),
        _pointer(inputs.bias),
        ctypes.c_int(torch.get_num_threads()),
    ]


def _pointer(tensor: Tensor) -> ctypes.c_void_p:
    assert tensor.is_contiguous(), "the compiled code walks through whole tensors"
    return ctypes.c_void_p(tensor.data_ptr())
