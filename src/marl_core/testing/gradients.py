"""Parameters, gradients and losses of what learns."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from marl_core.abilities import LearnsItself
from marl_core.protocols import HostAlgorithm
from marl_core.types import Loss

#: What learns by gradients.
Learning = HostAlgorithm | LearnsItself


def parameters_of(part: Learning) -> dict[str, nn.Parameter]:
    """The parameters of a host or a coupling, by name.

    A part that is no ``nn.Module`` shows those alone that it wants to be optimised.

    Args:
        part: which learns.
    """
    if isinstance(part, nn.Module):
        return dict(part.named_parameters())
    named = {}
    for number, group in enumerate(part.parameter_groups()):
        for index, parameter in enumerate(group.parameters):
            named[f"parameter {index} of group {number}"] = parameter
    return named


def trainable(part: Learning) -> dict[str, nn.Parameter]:
    """The parameters that are not frozen, by name.

    Args:
        part: which learns.
    """
    every = parameters_of(part).items()
    return {name: parameter for name, parameter in every if parameter.requires_grad}


def gradients_of(part: Learning, loss: Loss) -> dict[str, Tensor | None]:
    """The gradient by each parameter that is not frozen; None where the loss does not depend on it.

    Args:
        part: which learns.
        loss: what it learns by.
    """
    parameters = trainable(part)
    found = torch.autograd.grad(
        loss.total,
        list(parameters.values()),
        allow_unused=True,
        retain_graph=True,
    )
    return dict(zip(parameters, found, strict=True))


def descend(part: Learning, loss: Loss) -> None:
    """Take a small step down a loss.

    Args:
        part: whose parameters are changed.
        loss: what it learns by.
    """
    gradients = gradients_of(part, loss)
    with torch.no_grad():
        for name, parameter in trainable(part).items():
            gradient = gradients[name]
            if gradient is not None:
                parameter.sub_(gradient, alpha=1e-3)


def check_losses(part: Learning, losses: Iterable[Loss]) -> None:
    """See that there are losses, each finite, and that gradients reach every trainable parameter.

    Args:
        part: which learns.
        losses: what it learns by.

    Raises:
        AssertionError: it is not so.
    """
    missed = set(trainable(part))
    count = 0
    for loss in losses:
        count += 1
        shape = tuple(loss.total.shape)
        assert shape == (), f"a loss has shape {shape}"
        assert loss.total.isfinite(), "a loss is not finite"
        for name, gradient in gradients_of(part, loss).items():
            if gradient is None:
                continue
            assert gradient.isfinite().all(), f"the gradient of {name} is not finite"
            if gradient.any():
                missed.discard(name)
    assert count, "the rollouts brought no loss"
    assert not missed, f"no gradient reaches {', '.join(sorted(missed))}"


def check_groups(part: Learning) -> None:
    """See that every trainable parameter is optimised, and by one group only.

    Args:
        part: which learns.

    Raises:
        AssertionError: it is not so.
    """
    names = {parameter: name for name, parameter in parameters_of(part).items()}
    groups = part.parameter_groups()
    grouped = [parameter for group in groups for parameter in group.parameters]
    assert all(parameter in names for parameter in grouped), (
        "a parameter group holds what is no parameter of the host or the coupling"
    )
    trained = [names[parameter] for parameter in grouped if parameter.requires_grad]
    assert len(set(trained)) == len(trained), "a parameter is in two groups"
    left_out = ", ".join(sorted(trainable(part).keys() - set(trained)))
    assert not left_out, (
        f"parameter_groups leaves out {left_out}: "
        "frozen parameters need requires_grad=False"
    )
