"""Groups of tensors that share their leading axes, and what can be done to all of a group."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Self

import torch
from torch import Tensor

#: A host's own memory between steps: tensors with leading axis E, by name. Conc4Hist remembers
#: entities; a recurrent network would keep its hidden state here.
Memory = Mapping[str, Tensor]


class TensorBatch:
    """A base of frozen dataclasses of optional tensors that share their leading axes."""

    def map(self, function: Callable[[Tensor], Tensor]) -> Self:
        """The batch with a function applied to every tensor that is there.

        Args:
            function: what is applied.
        """
        changed = {name: function(value) for name, value in self.tensors().items()}
        return replace(self, **changed)  # type: ignore[type-var]

    def tensors(self) -> dict[str, Tensor]:
        """The tensors that are there, by name."""
        return {
            name: value
            for name, value in vars(self).items()
            if isinstance(value, Tensor)
        }

    @classmethod
    def stack(cls, batches: Sequence[Self]) -> Self:
        """Several batches as one, along a new first axis.

        Args:
            batches: of one shape, with the same tensors.
        """
        return cls._join(batches, torch.stack)

    @classmethod
    def concatenate(cls, batches: Sequence[Self]) -> Self:
        """Several batches as one, along their first axis.

        Args:
            batches: with the same tensors.
        """
        return cls._join(batches, torch.cat)

    @classmethod
    def _join(
        cls,
        batches: Sequence[Self],
        join: Callable[[list[Tensor]], Tensor],
    ) -> Self:
        first = batches[0]
        joined = {}
        for name in first.tensors():
            joined[name] = join([getattr(batch, name) for batch in batches])
        return replace(first, **joined)  # type: ignore[type-var]


def map_tensors(
    value: Any,
    function: Callable[[Tensor], Tensor],
) -> Any:
    """A value of the same kind, with a function applied to each of its tensors.

    Args:
        value: a tensor, a ``TensorBatch``, tensors by name, or None.
        function: what is applied.
    """
    if value is None:
        return None
    if isinstance(value, Tensor):
        return function(value)
    if isinstance(value, TensorBatch):
        return value.map(function)
    return {name: function(part) for name, part in value.items()}


def stack_tensors(values: Sequence[Any]) -> Any:
    """A value of the same kind, with the tensors of all of them along a new first axis.

    Args:
        values: tensors of one shape, batches, tensors by name, or None; all of one kind.
    """
    first = values[0]
    if first is None:
        return None
    if isinstance(first, Tensor):
        return torch.stack(list(values))
    if isinstance(first, TensorBatch):
        return type(first).stack(values)
    stacked = {}
    for name in first:
        stacked[name] = torch.stack([value[name] for value in values])
    return stacked
