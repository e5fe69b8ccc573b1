"""Boltzmann exploration: sampling by the values themselves."""

from __future__ import annotations

from typing import final

import torch
from jaxtyping import Bool, Float
from pydantic import Field
from torch import Tensor

from marl_core.base_config import LARGEST
from marl_core.capabilities import Scores
from marl_core.configured import Configured
from marl_core.exploration.schedule import AnnealedConfig
from marl_core.exploration.softmax import ILLEGAL, at_least_single, log_softmax_policy
from marl_core.types import Progress


class BoltzmannConfig(AnnealedConfig):
    """Settings of Boltzmann exploration; temperatures are in units of the values."""

    name: str = "boltzmann"
    start: float = Field(
        default=1.0,
        gt=0,
        le=LARGEST,
        description="Temperature at the beginning of the run.",
    )
    end: float = Field(
        default=0.05,
        gt=0,
        le=LARGEST,
        description="Temperature after `anneal_steps` and from there on.",
    )


@final
class Boltzmann(Configured[BoltzmannConfig]):
    """Every agent samples softmax(Q / temperature): the better an action seems, the more often it
    is tried.
    """

    @property
    def accepts(self) -> frozenset[Scores]:
        """Action values."""
        return frozenset({"values"})

    def log_policy(
        self,
        scores: Float[Tensor, "*B N A"],
        legal: Bool[Tensor, "*B N A"] | None,
        progress: Progress,
    ) -> Float[Tensor, "*B N A"]:
        """Softmax of the values over the temperature, among the legal actions.

        Args:
            scores: the host's, ``[*B, N, A]``.
            legal: which actions are legal, ``[*B, N, A]``; None: all of them.
            progress: how far the run is; it decides the temperature.
        """
        scores = at_least_single(scores)
        # Relative to the best legal action: at a low temperature no legal one may fall below the
        # illegal ones' score.
        best = (
            scores if legal is None else scores.masked_fill(~legal, -torch.inf)
        ).amax(-1, keepdim=True)
        relative = (scores - best.detach()) / self.config.at(progress)
        return log_softmax_policy(relative.clamp(min=ILLEGAL), legal)

    def entropy_coefficient(self, progress: Progress) -> float:
        """No entropy bonus.

        Args:
            progress: how far the run is; it makes no difference.
        """
        return 0.0
