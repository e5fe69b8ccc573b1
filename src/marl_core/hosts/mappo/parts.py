"""The games of a rollout, in the parts that single optimisation steps learn from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial

import torch
from jaxtyping import Float, Int
from torch import Tensor

from marl_core.learning import Ranks
from marl_core.rng import generator
from marl_core.types import Observation
from marl_core.types.batch import TensorBatch


@dataclass(frozen=True)
class Part(TensorBatch):
    """What is known of some games before the first epoch. All leading axes are ``T E N``.

    Attributes:
        actions: what was done; numbers in a box have an axis more.
        weights: the share of each sample; 0 where nobody acted.
        advantages: normalised.
        old_log_policy: the logarithm of the probability of what was done.
        returns: normalised; what the values should be.
        values: what the critic said, in the scale in which it learns.
    """

    actions: Int[Tensor, "T E N"] | Float[Tensor, "T E N D"]
    weights: Float[Tensor, "T E N"]
    advantages: Float[Tensor, "T E N"]
    old_log_policy: Float[Tensor, "T E N"]
    returns: Float[Tensor, "T E N"]
    values: Float[Tensor, "T E N"]


@dataclass(frozen=True)
class Parts:
    """All games, to be divided anew in every epoch.

    Attributes:
        seen: what the agents saw; all leading axes are ``T E``.
        known: what is known of them; its weights are 1 and 0.
        count: how many parts there are.
        update: the number of the update.
        ranks: the processes that learn together.
    """

    seen: Observation
    known: Part
    count: int
    update: int
    ranks: Ranks

    def of_single_steps(self) -> Parts:
        """The same with every step of every game as if it were a game of one step.

        Parts of them are of steps of any games. Only for networks without memory.
        """
        return replace(
            self,
            seen=self.seen.map(_side_by_side),
            known=self.known.map(_side_by_side),
        )

    def of_epoch(self, epoch: int) -> Iterator[tuple[Observation, Part]]:
        """Each part with what the agents saw in it.

        Which games are together depends on the update and the epoch alone, so that a run which is
        resumed goes on as it would have.

        Args:
            epoch: counted from 0.
        """
        for games in self._games(epoch):
            seen, known = self.seen, self.known
            if games is not None:
                chosen = partial(torch.index_select, dim=1, index=games)
                seen, known = seen.map(chosen), known.map(chosen)
            # Parts differ in how many samples they have, and each counts as a whole batch.
            total = self.ranks.mean(known.weights.sum()).clamp(min=1)
            weights = known.weights / total
            yield seen, Part(**{**known.tensors(), "weights": weights})

    def _games(self, epoch: int) -> list[Tensor | None]:
        """The indices of each part's games; None: all of them."""
        games = self.known.actions.shape[1]
        count = min(self.count, games)
        if count == 1:
            return [None]
        source = generator("cpu", self.update, "minibatches", epoch)
        order = torch.randperm(games, generator=source)
        order = order.to(self.known.actions.device)
        return [order[part::count] for part in range(count)]


def _side_by_side(values: Tensor) -> Tensor:
    """All steps of all games, ``[T, E, ...]``, as games of one step, ``[1, T E, ...]``."""
    return values.flatten(0, 1).unsqueeze(0)
