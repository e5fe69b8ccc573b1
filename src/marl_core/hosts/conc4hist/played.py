"""What agents saw and remembered in whole episodes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import final

import torch
from jaxtyping import Float, Int
from torch import Tensor

from marl_core.entity_rows import rows_and_index
from marl_core.hosts.conc4hist.acting_samples import ActingSamples
from marl_core.hosts.conc4hist.history import Histories
from marl_core.hosts.conc4hist.running_norm import RunningNorm
from marl_core.hosts.conc4hist.surroundings import (
    Surroundings,
    seen_rows,
    with_nobody,
)
from marl_core.learning import Ranks
from marl_core.types import Memory, Rollout


@final
@dataclass(frozen=True)
class Played:
    """What agents saw and remembered in whole episodes.

    Memories are not kept in rollouts: they follow from what was seen.

    Attributes:
        rows: every entity of every step, those after the last steps, and nobody; see
            ``Surroundings``.
        now: the rows seen in each step; nobody after a game's end.
        last: the rows seen after the last step of each game.
    """

    rows: Float[Tensor, "rows F"]
    now: Int[Tensor, "T E N K"]
    last: Int[Tensor, "E N K"]

    @classmethod
    def of(cls, rollout: Rollout) -> Played:
        """Collect what was seen.

        Args:
            rollout: whole episodes, with entities.
        """
        rows, index = rows_and_index(rollout.observations)
        last_rows, last_index = rows_and_index(rollout.last_observation)
        every = with_nobody(torch.cat([rows, last_rows]))
        nobody = len(every) - 1
        now = seen_rows(rollout.observations, index, nobody)
        on = rollout.valid.view(*rollout.valid.shape, 1, 1)
        last = seen_rows(
            rollout.last_observation,
            last_index + len(rows),
            nobody,
        )
        return cls(every, torch.where(on, now, nobody), last)

    @cached_property
    def histories(self) -> Histories:
        """What agents remembered."""
        return Histories.of(self.now[..., 1:], len(self.rows) - 1)

    def with_rows(self, rows: Float[Tensor, "rows F"]) -> Played:
        """The same with other numbers in the rows.

        Args:
            rows: as many as there are.
        """
        same = Played(rows, self.now, self.last)
        # Which rows were seen does not depend on what they hold.
        vars(same)["histories"] = self.histories
        return same

    def of_samples(self, places: ActingSamples) -> Surroundings:
        """What the agents of some samples saw and remembered.

        Args:
            places: which samples.
        """
        past = self.histories.at(places.index, self.now.shape[-1])
        return Surroundings(self.rows, places.take(self.now), past)

    def at_ends(self) -> Surroundings:
        """What agents see and remember after the last step of each game."""
        steps, _, _, entities = self.now.shape
        after = torch.full((1,), steps, device=self.now.device)
        past = self._histories_before(after, entities).squeeze(0)
        return Surroundings(self.rows, self.last, past)

    def memory_before(self, steps: Sequence[int]) -> Memory:
        """The host's memory before some steps.

        Args:
            steps: S of them.

        Returns:
            Tensors with leading axes S E.
        """
        wanted = torch.tensor(steps, device=self.now.device)
        past = self._histories_before(wanted, self.now.shape[-1])
        rows = self.rows.index_select(0, past.flatten())
        return {
            "past": rows.view(*past.shape, -1),
            "past_mask": past != len(self.rows) - 1,
        }

    def _histories_before(
        self,
        steps: Int[Tensor, "S"],
        slots: int,
    ) -> Int[Tensor, "S E N K"]:
        _, games, agents, _ = self.now.shape
        each = torch.arange(games * agents, device=self.now.device)
        samples = steps.unsqueeze(1) * len(each) + each
        return self.histories.at(samples.view(-1, games, agents), slots)


@torch.no_grad()
def normalised_surroundings(
    played: Played,
    places: ActingSamples,
    norm: RunningNorm,
    dtype: torch.dtype,
    ranks: Ranks,
) -> tuple[Surroundings, Played]:
    """What agents saw and remembered, normalised by statistics that include it.

    An entity counts as often as it was seen and remembered.

    Args:
        played: whole episodes.
        places: the samples that are learnt from.
        norm: its statistics are brought up to date.
        dtype: of the networks' parameters. Environments know nothing of precision 64-true.
        ranks: the processes that learn together.

    Returns:
        That of the samples; and all that was played, with the same rows.
    """
    around = played.of_samples(places)
    valid = places.valid.unsqueeze(-1)
    nobody = around.nobody
    times = torch.zeros(nobody + 1, device=valid.device)
    one = torch.ones_like(times[:1])
    for index in (around.now, around.past):
        counted = torch.where(valid, index, nobody).flatten()
        times.index_add_(0, counted, one.expand(len(counted)))
    times[-1:] = 0
    norm.update(norm.moments(played.rows, times), ranks)
    normalised = around.normalised(norm, dtype)
    return normalised, played.with_rows(normalised.rows)
