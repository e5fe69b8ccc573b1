"""What is known of rollouts that do not consist of whole episodes."""

from __future__ import annotations

from dataclasses import dataclass

from jaxtyping import Bool, Float
from torch import Tensor

from marl_core.types.batch import TensorBatch


@dataclass(frozen=True)
class Pieces(TensorBatch):
    """What lies before and after the pieces of episodes that a rollout has in its columns.

    Attributes:
        earned: what the team had gained in the episode before its piece begins.
        cut: the episode goes on after the piece. To hosts, its last step is a truncated one.
    """

    earned: Float[Tensor, "E"]
    cut: Bool[Tensor, "E"]
