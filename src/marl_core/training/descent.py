"""Steps of an optimiser by the losses that a learner asks for."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from marl_core.learning import Ranks
from marl_core.training.optimizer import FlatOptimizer
from marl_core.training.ranks import mean_of_parts
from marl_core.types import Loss


def descend(
    losses: Iterable[Loss],
    flat: FlatOptimizer,
    step: Callable[[], object],
    ranks: Ranks,
) -> Loss | None:
    """A step by each loss, taken before the next one is asked for.

    Ranks' gradients are averaged here, and not by DDP's hooks. The hooks belong to ``backward``,
    which fills a gradient for each parameter, where one vector for each group of parameters is
    asked for.

    Args:
        losses: each is computed when it is asked for.
        flat: the optimiser.
        step: has it take a step.
        ranks: the processes that learn together.

    Returns:
        The last loss; None where there was none.
    """
    last = None
    for loss in losses:
        gradients = loss.gradients
        if gradients is None:
            gradients = flat.gradients_of(loss.total)
        flat.set_gradients(mean_of_parts(gradients, ranks))
        step()
        last = loss
    return last
