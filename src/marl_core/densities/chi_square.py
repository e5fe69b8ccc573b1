"""How much of a standard normal law of D numbers lies within a radius, and the inverse.

The squared radius is chi-square distributed with D degrees of freedom.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from marl_core.shapes import Float

#: Newton's steps of the inverse: from where they start, two leave an error below 1e-9.
_STEPS = 3
#: Below this cube root of x over its mean, the law is nearly a power of the radius.
_FAR = 0.3
#: Of less mass the radius is that of this one: double precision has no logarithms far below.
_LEAST = 1e-300


def mass_within(
    squared_radius: Float[Tensor, "*B"],
    numbers: int,
) -> Float[Tensor, "*B"]:
    """The mass of a standard normal law within a radius: the chi-square distribution function.

    Args:
        squared_radius: of at least single precision, ``[*B]``.
        numbers: D.
    """
    half = squared_radius / 2
    if numbers == 1:
        return half.sqrt().erf()
    if numbers == 2:
        return -torch.expm1(-half)
    exact = half.double()
    degrees = torch.full_like(exact, numbers / 2)
    return torch.special.gammainc(degrees, exact).to(squared_radius.dtype)


def radius_of(mass: Float[Tensor, "*B"], numbers: int) -> Float[Tensor, "*B"]:
    """The radius within which a standard normal law has a mass: ``mass_within``'s inverse.

    It is in closed form for one number and for two; for more it is found by Newton's method, to
    less than 1e-6 in the mass.

    Args:
        mass: in [0, 1], ``[*B]``. A mass of 1 gets the radius of the greatest one below 1, so that
            it is finite.
        numbers: D.
    """
    below_one = 1 - torch.finfo(mass.dtype).eps / 2
    mass = mass.clamp(0, below_one)
    if numbers == 1:
        return math.sqrt(2) * torch.erfinv(mass)
    if numbers == 2:
        return (-2 * torch.log1p(-mass)).sqrt()
    half = _inverse_gamma(mass.double(), numbers / 2)
    return (2 * half).sqrt().to(mass.dtype)


def _inverse_gamma(mass: Float[Tensor, "*B"], degrees: float) -> Float[Tensor, "*B"]:
    """x with P(degrees, x) = mass, by Newton's method on logarithms.

    Of small masses the logarithm is nearly a line in log x, of great ones log(1 - mass) is nearly
    one in x; Newton's steps on these never leave x > 0, and need no bracket.
    """
    some = mass.clamp(min=_LEAST)
    a = torch.full_like(some, degrees)
    x = _start(some, degrees)
    log_inside = some.log()
    log_outside = torch.log1p(-some)
    for _ in range(_STEPS):
        inside = torch.special.gammainc(a, x)
        outside = torch.special.gammaincc(a, x)
        density = ((degrees - 1) * x.log() - x - math.lgamma(degrees)).exp()
        # d log P / d log x = x p / P, and d log Q / d x = -p / Q.
        growth = (log_inside - inside.log()) * inside / (x * density)
        growing = x * growth.clamp(-2, 2).exp()
        change = (log_outside - outside.log()) * outside / density
        moving = x - change
        moving = torch.where(moving > 0, moving, x / 2)
        x = torch.where(
            some < 0.5,
            growing,
            moving,
        )
    return torch.where(mass > 0, x, 0.0)


def _start(mass: Float[Tensor, "*B"], degrees: float) -> Float[Tensor, "*B"]:
    """Wilson and Hilferty's (1931) approximation; of little mass the leading power."""
    normal = math.sqrt(2) * torch.erfinv(2 * mass - 1)
    middle = 1 - 1 / (9 * degrees)
    root = middle + normal / (3 * math.sqrt(degrees))
    log_power = (mass.log() + math.lgamma(degrees + 1)) / degrees
    return torch.where(
        root < _FAR,
        log_power.exp(),
        degrees * root.clamp(min=_FAR) ** 3,
    )
