"""What a host asks of the optimiser."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from jaxtyping import Float
from torch import Tensor, nn

#: How a learning rate goes over all episodes of a run: it stays, or falls linearly to 0.
Schedule = Literal["constant", "linear"]


@dataclass(frozen=True)
class Loss:
    """One optimisation step that a host asks for.

    Attributes:
        total: a scalar to descend.
        metrics: what to log about it, by name.
        gradients: a vector for each parameter group, where they came with the loss; None: the
            optimiser finds them.
    """

    total: Float[Tensor, ""]
    metrics: Mapping[str, Tensor | float] = field(default_factory=dict)
    gradients: Sequence[Tensor] | None = None


@dataclass(frozen=True)
class ParameterGroup:
    """Parameters that are optimised alike.

    Attributes:
        parameters: the parameters; those that are frozen are left out of the optimisation.
        learning_rate: the optimiser's, at the beginning of the run.
        max_gradient_norm: the limit to which the norm of the group's gradient is clipped; None: it
            is not clipped.
        schedule: how the learning rate goes from there, over the episodes of all stages.
    """

    parameters: Sequence[nn.Parameter]
    learning_rate: float
    max_gradient_norm: float | None = None
    schedule: Schedule = "constant"
