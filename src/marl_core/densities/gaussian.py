"""Diagonal Gaussian policies over a box, plain or squashed into it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from marl_core.densities.chi_square import mass_within
from marl_core.shapes import Float

_LOG_2 = math.log(2)
_LOG_2_PI = math.log(2 * math.pi)
#: Points of the Gauss-Hermite rule of a squashed policy's entropy.
_POINTS = 32


@final
@dataclass(frozen=True)
class GaussianDensities:
    """Independent latent numbers u ~ N(mean, std^2), which a map takes to the numbers of a box.

    The plain map is linear: -1 and 1 go to the bounds, and nothing keeps an action inside of them.
    The squashed one is a hyperbolic tangent, onto the inside of the box. Ranks are those of the
    latent law, so the squashed action of rank 0 is the median of its policy, and not the peak of
    its density, which for wide policies lies at the bounds.

    Attributes:
        mean: of the latent numbers, ``[*B, N, D]``, of at least single precision.
        log_std: the logarithm of their standard deviations, ``[*B, N, D]``.
        low: the box's least values, ``[D]``.
        high: the box's greatest values, ``[D]``.
        squashed: which of the two maps it is.
    """

    mean: Float[Tensor, "*B N D"]
    log_std: Float[Tensor, "*B N D"]
    low: Float[Tensor, "D"]
    high: Float[Tensor, "D"]
    squashed: bool = False

    @property
    def shape(self) -> tuple[int, ...]:
        """``[*B, N, D]``."""
        return tuple(self.mean.shape)

    def log_density(self, actions: Float[Tensor, "*B N D"]) -> Float[Tensor, "*B N"]:
        """The logarithm of each agent's density, by the change of variables.

        At the bounds of a squashed policy it is that of the nearest action that single precision
        can tell from them.

        Args:
            actions: of every agent, ``[*B, N, D]``.
        """
        latent, log_slope = self._latent(actions.to(self.mean.dtype))
        standard = self._standard(latent)
        exponent = -(standard.square() + _LOG_2_PI) / 2
        of_latent = exponent - self.log_std
        return (of_latent - log_slope).sum(-1)

    def entropy(self) -> Float[Tensor, "*B N"]:
        """The differential entropy of each agent's policy, in nats.

        Exact for a plain policy. For a squashed one it is an estimate: the mean of the map's log
        slope is by Gauss-Hermite quadrature, with an error below 1e-6 for standard deviations up to
        1 and below 2e-3 up to e.
        """
        of_latent = self.log_std + (1 + _LOG_2_PI) / 2
        log_half = ((self.high - self.low) / 2).log()
        if not self.squashed:
            return (of_latent + log_half).sum(-1)
        points, weights = _gauss_hermite(self.mean)
        at = self.mean.unsqueeze(-1) + self.log_std.exp().unsqueeze(-1) * points
        # log(1 - tanh(u)^2), without a difference of nearly equal numbers.
        size = at.abs()
        log_slope = 2 * (_LOG_2 - size - torch.log1p((-2 * size).exp()))
        mean_slope = (log_slope * weights).sum(-1)
        return (of_latent + log_half + mean_slope).sum(-1)

    def mode(self) -> Float[Tensor, "*B N D"]:
        """The actions that the latent means stand for."""
        return self._action(self.mean)

    def rank(self, actions: Float[Tensor, "*B N D"]) -> Float[Tensor, "*B N"]:
        """The rank of each agent's action: chi-square of the squared Mahalanobis distance.

        Args:
            actions: of every agent, ``[*B, N, D]``.
        """
        latent, _ = self._latent(actions.to(self.mean.dtype))
        squared = self._standard(latent).square().sum(-1)
        return mass_within(squared, latent.shape[-1])

    def at(self, noise: Float[Tensor, "*B N D"]) -> Float[Tensor, "*B N D"]:
        """The actions that standard normal noise stands for.

        Args:
            noise: for every agent, ``[*B, N, D]``.
        """
        return self._action(self.mean + self.log_std.exp() * noise)

    def divergence(self, other: GaussianDensities) -> Float[Tensor, "*B N"]:
        """KL(self || other) of each agent, exact: one map for both leaves it as it is.

        Args:
            other: over the same box, by the same map.
        """
        spread = (self.log_std - other.log_std).exp().square()
        shift = (self.mean - other.mean) * (-other.log_std).exp()
        narrower = other.log_std - self.log_std
        terms = (spread + shift.square() - 1) / 2 + narrower
        return terms.sum(-1)

    def _standard(self, latent: Tensor) -> Tensor:
        """How many standard deviations from their means latent numbers lie."""
        distance = latent - self.mean
        return distance * (-self.log_std).exp()

    def _action(self, latent: Tensor) -> Tensor:
        width = self.high - self.low
        if not self.squashed:
            return self.low + width * (latent + 1) / 2
        # From the nearer bound, where a distance of little more than nothing matters.
        from_low = self.low + width * torch.sigmoid(2 * latent)
        from_high = self.high - width * torch.sigmoid(-2 * latent)
        action = torch.where(
            latent < 0,
            from_low,
            from_high,
        )
        margin = self._margin()
        return action.clamp(
            self.low + margin,
            self.high - margin,
        )

    def _latent(self, actions: Tensor) -> tuple[Tensor, Tensor]:
        """The latent numbers of actions, and the logarithm of the map's slope there."""
        width = self.high - self.low
        if not self.squashed:
            latent = (actions - self.low) * (2 / width) - 1
            return latent, (width / 2).log().expand_as(latent)
        margin = self._margin()
        below = torch.maximum(actions - self.low, margin).log()
        above = torch.maximum(self.high - actions, margin).log()
        return (below - above) / 2, _LOG_2 + below + above - width.log()

    def _margin(self) -> Tensor:
        """How far from its bounds an action stays, so that rounding cannot take it there."""
        greatest = torch.maximum(self.low.abs(), self.high.abs())
        scale = torch.maximum(self.high - self.low, greatest)
        return scale * torch.finfo(self.mean.dtype).eps


def _gauss_hermite(
    like: Tensor,
) -> tuple[Tensor, Tensor]:
    """Points and weights of the mean over a standard normal law.

    They are the eigenvalues of the Jacobi matrix of Hermite's polynomials, and the squares of the
    eigenvectors' first entries (Golub and Welsch 1969).
    """
    beside = torch.arange(1, _POINTS, dtype=torch.float64).sqrt()
    jacobi = torch.diag(beside, 1) + torch.diag(beside, -1)
    points, vectors = torch.linalg.eigh(jacobi)
    return points.to(like), vectors[0].square().to(like)
