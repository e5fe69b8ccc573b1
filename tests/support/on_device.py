"""Tensors that say they are on a GPU, and compute on the CPU.

To C++ such a tensor is on "meta", a device without numbers, for which autograd needs no
accelerator. What C++ makes by a tensor's options is asked for on "meta" too, and so lands here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from tests.support.host_waits import HostWaits, Operation
from tests.support.pretend_generator import DEVICE, is_cuda, is_of_another_device

#: Who counts what the host waits for.
COUNTING: list[HostWaits] = []

#: What moves numbers from one device to another, on purpose.
_CROSSING = {"_to_copy", "copy_"}
#: What takes indices that are on the CPU.
_INDEXING = {"index", "index_put", "index_put_", "_index_put_impl_"}
#: What takes a single number on the CPU, besides all elementwise operations.
_TAKES_NUMBERS = {"fill_", "masked_fill", "masked_fill_", "index_fill", "index_fill_"}


class OnDevice(Tensor):
    """A tensor that says it is on cuda:0.

    Attributes:
        held: the same numbers, on the CPU.
    """

    held: Tensor
    # Or else every result of an operation on the CPU would become one of these.
    __torch_function__ = torch._C._disabled_torch_function_impl  # type: ignore[assignment]
    device = property(lambda self: DEVICE)
    is_cuda = property(lambda self: True)
    is_cpu = property(lambda self: False)
    is_meta = property(lambda self: False)

    @staticmethod
    def __new__(cls, held: Tensor) -> OnDevice:
        made: OnDevice = Tensor._make_wrapper_subclass(
            cls,
            held.size(),
            strides=held.stride(),
            storage_offset=held.storage_offset(),
            dtype=held.dtype,
            device=torch.device("meta"),
        )
        made.held = held
        return made

    @classmethod
    def __torch_dispatch__(  # type: ignore[override]
        cls,
        function: Any,
        types: object,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        return _computed(function, args, kwargs or {})

    def to(self, *args: Any, **kwargs: Any) -> Any:
        """As of any tensor. C++ would copy from "meta" to "cuda"."""
        if args and isinstance(args[0], str | torch.device) and is_cuda(args[0]):
            args = args[1:]
        if is_cuda(kwargs.get("device")):
            del kwargs["device"]
        return super().to(*args, **kwargs) if args or kwargs else self

    def tolist(self) -> Any:
        """As of any tensor. C++ has none for such ones."""
        return self.cpu().tolist()

    def __getitem__(self, index: Any) -> Any:
        return super().__getitem__(_as_tensors(index))

    def __setitem__(self, index: Any, value: Any) -> None:
        if isinstance(value, bool | int | float):
            # As torch does for CUDA, so that a mask need not be waited for.
            value = torch.tensor(value, dtype=self.dtype)
        super().__setitem__(_as_tensors(index), value)

    def _set_data(self, new: OnDevice) -> None:
        Tensor.data.__set__(self, new)  # type: ignore[attr-defined]
        self.held = new.held

    data = property(lambda self: self.detach(), _set_data)

    def __repr__(self, *, tensor_contents: Any = None) -> str:  # type: ignore[override]
        return f"OnDevice({self.held!r})"


class Everywhere(TorchDispatchMode):
    """Sees operations without any tensor, which make some."""

    def __torch_dispatch__(
        self,
        function: Any,
        types: object,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        return _computed(function, args, kwargs or {})


def _computed(function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Check an operation, compute it on the CPU, and say where its results are."""
    leaves = list(_leaves((*args, *kwargs.values())))
    tensors = [leaf for leaf in leaves if isinstance(leaf, Tensor)]
    on_device = any(isinstance(tensor, OnDevice) for tensor in tensors)
    asked = kwargs.get("device")
    lands = on_device if asked is None else torch.device(asked).type != "cpu"
    operation = Operation(function, args, kwargs, lands)
    _check(operation, leaves, tensors)
    if on_device or lands:
        for waits in COUNTING:
            waits.see(operation)
    if asked is not None:
        kwargs = {**kwargs, "device": "cpu"}
    named = {key: _mapped(value, _held) for key, value in kwargs.items()}
    results = function(*_mapped(args, _held), **named)
    if on_device and torch.Tag.inplace_view in function.tags:
        # The shape that C++ sees changes too.
        with torch._C._DisableTorchDispatch():
            function(*args, **kwargs)
    # What is changed in place is the same object afterwards.
    same = {id(_held(tensor)): tensor for tensor in tensors}

    def outer(result: Any) -> Any:
        if id(result) in same:
            return same[id(result)]
        return OnDevice(result) if lands and isinstance(result, Tensor) else result

    return _mapped(results, outer)


def _check(operation: Operation, leaves: list[Any], tensors: list[Tensor]) -> None:
    """Refuse what CUDA refuses."""
    if any(is_of_another_device(leaf, operation.lands) for leaf in leaves):
        raise RuntimeError(f"{operation.name}: the generator is of another device")
    elsewhere = [tensor for tensor in tensors if not isinstance(tensor, OnDevice)]
    if len(elsewhere) < len(tensors) and _mixes(operation, elsewhere):
        message = "expected all tensors to be on the same device"
        raise RuntimeError(f"{operation.name}: {message}")


def _mixes(operation: Operation, elsewhere: list[Tensor]) -> bool:
    """Whether CUDA would refuse these tensors of the CPU.

    It takes single numbers in elementwise operations, if it need not write to them, and indices.
    """
    function, args = operation.function, operation.args
    if operation.name in _CROSSING:
        return False
    if operation.name in _INDEXING and isinstance(args[0], OnDevice):
        return any(not isinstance(one, OnDevice) and one.dim() for one in args[2:3])
    packet = getattr(torch.ops.aten, operation.name.rstrip("_"), None)
    plain = getattr(packet, function._overloadname, function)
    is_elementwise = torch.Tag.pointwise in (*function.tags, *plain.tags)
    if not is_elementwise and operation.name not in _TAKES_NUMBERS:
        return bool(elsewhere)
    given = zip(args, function._schema.arguments, strict=False)
    written = {id(one) for one, said in given if said.is_write}
    return any(one.dim() or id(one) in written for one in elsewhere)


def _held(value: Any) -> Any:
    return value.held if isinstance(value, OnDevice) else value


def _mapped(value: Any, function: Callable[[Any], Any]) -> Any:
    """A value, or the values in lists and tuples of any depth, with a function applied."""
    if isinstance(value, list | tuple):
        return type(value)(_mapped(part, function) for part in value)
    return function(value)


def _leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, list | tuple):
        for part in value:
            yield from _leaves(part)
    else:
        yield value


def _as_tensors(index: Any) -> Any:
    """Lists as tensors: C++ would make them on "meta", and lose their numbers."""
    if isinstance(index, tuple):
        return tuple(_as_tensors(part) for part in index)
    return torch.tensor(index) if isinstance(index, list) else index
