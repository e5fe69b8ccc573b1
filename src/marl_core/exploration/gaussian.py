"""Gaussian policies over numbers in a box."""

from __future__ import annotations

from typing import Literal, NoReturn, final

from jaxtyping import Bool, Float
from pydantic import Field
from torch import Tensor

from marl_core.base_config import (
    LARGEST,
    PolicyConfig,
)
from marl_core.capabilities import Scores
from marl_core.configured import Configured
from marl_core.densities.gaussian import GaussianDensities
from marl_core.errors import UserError
from marl_core.exploration.softmax import at_least_single
from marl_core.types import Box, Progress

#: A squashed policy's latent means stay within this: a hyperbolic tangent of it is 1 - 9e-5.
_FARTHEST = 5.0


class GaussianConfig(PolicyConfig):
    """Settings of Gaussian policies."""

    name: str = "gaussian"
    coefficient: float = Field(
        default=0.0,
        ge=0,
        le=LARGEST,
        description="c_H of Eq. 1: the weight of the differential entropy.",
    )
    bounds: Literal["clip", "tanh"] = Field(
        default="clip",
        description="How actions are kept in the box: clipped on their way to the environment, "
        "while the policy has mass outside; or squashed into it by a hyperbolic tangent.",
    )


@final
class Gaussian(Configured[GaussianConfig]):
    """Every agent draws its numbers from a diagonal Gaussian (``StatesDensities``).

    The host's scores are means and logarithms of standard deviations, in half widths of the box
    from its centre. Squashed, they are those of the latent numbers, whose means are kept within 5
    smoothly. Without a spec the box is [-1, 1] in each number.

    Raises:
        UserError: the environment's actions are no numbers in a box.
    """

    @property
    def accepts(self) -> frozenset[Scores]:
        """Means and logarithms of standard deviations."""
        return frozenset({"gaussian"})

    def densities(
        self,
        scores: Float[Tensor, "*B N S"],
        progress: Progress,
    ) -> GaussianDensities:
        """Each agent's own density, in at least single precision.

        Args:
            scores: D means, then D logarithms of standard deviations, ``[*B, N, 2 D]``.
            progress: how far the run is; it makes no difference.
        """
        mean, log_std = at_least_single(scores).chunk(2, -1)
        squashed = self.config.bounds == "tanh"
        if squashed:
            mean = _FARTHEST * (mean / _FARTHEST).tanh()
        box = self._box(mean.shape[-1])
        return GaussianDensities(
            mean,
            log_std,
            *box.bounds(mean),
            squashed,
        )

    def log_policy(
        self,
        scores: Float[Tensor, "*B N A"],
        legal: Bool[Tensor, "*B N A"] | None,
        progress: Progress,
    ) -> NoReturn:
        """Nothing: a density has no table of probabilities.

        Args:
            scores: unused.
            legal: unused.
            progress: unused.

        Raises:
            UserError: always.
        """
        raise UserError("policy 'gaussian' has densities, and no table of actions")

    def entropy_coefficient(self, progress: Progress) -> float:
        """c_H of Eq. 1, constant.

        Args:
            progress: how far the run is; it makes no difference.
        """
        return self.config.coefficient

    def _box(self, numbers: int) -> Box:
        if self.spec is None:
            return Box.unit(numbers)
        if self.spec.box is None:
            raise UserError(
                "policy 'gaussian' is for actions that are numbers in a box"
            )
        return self.spec.box
