"""Advantages and returns."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor


def generalised_advantages(
    reward: Float[Tensor, "T E N"],
    values: Float[Tensor, "T E N"],
    last_values: Float[Tensor, "E N"],
    terminated: Bool[Tensor, "T E"],
    valid: Bool[Tensor, "T E"],
    gamma: float,
    lam: float,
) -> Float[Tensor, "T E N"]:
    """Generalised advantage estimation (Schulman et al. 2016) over whole episodes of different lengths.

    ``A_t = sum_k (gamma lam)^k delta_{t+k}`` with ``delta_t = r_t + gamma V_{t+1} - V_t``. A terminated game has no
    value behind its end; one that was truncated is bootstrapped with ``last_values``. Padding gets 0.
    """
    steps = reward.shape[0]
    advantage, out = torch.zeros_like(last_values), torch.empty_like(values)
    for t in range(steps - 1, -1, -1):
        following = last_values
        if t + 1 < steps:
            following = torch.where(
                valid[t + 1].unsqueeze(-1), values[t + 1], last_values
            )
        discount = gamma * (~terminated[t]).unsqueeze(-1).to(values.dtype)
        delta = reward[t] + discount * following - values[t]
        # Behind its last step a game's advantage is 0, so that it adds nothing to the step before.
        advantage = torch.where(
            valid[t].unsqueeze(-1), delta + gamma * lam * advantage, 0.0
        )
        out[t] = advantage
    return out


def td_lambda_returns(
    reward: Float[Tensor, "T E"],
    next_values: Float[Tensor, "T E"],
    terminated: Bool[Tensor, "T E"],
    valid: Bool[Tensor, "T E"],
    gamma: float,
    lam: float,
) -> Float[Tensor, "T E"]:
    """TD(lambda) returns over whole episodes of different lengths (Sutton and Barto 2018, Eq. 12.18, recursively).

    ``G_t = r_t + gamma [(1 - lam) V_{t+1} + lam G_{t+1}]``, and ``r_t`` alone at a termination. In the last step of a
    truncated game all weight is on ``V_{t+1}``. Padding gets 0.

    Args:
        next_values: the value of what follows each step; behind a termination anything.
    """
    goes_on = torch.cat([valid[1:], torch.zeros_like(valid[:1])])
    discount = gamma * (valid & ~terminated).to(next_values.dtype)
    to_come = (
        discount * goes_on * lam
    )  # of G_{t+1}; what is left of the discount is on V_{t+1}
    at_once = torch.where(valid, reward, 0.0) + (discount - to_come) * torch.where(
        discount > 0, next_values, 0.0
    )
    returns = [at_once[-1]]
    for now, following in zip(
        reversed(at_once[:-1].unbind()), reversed(to_come[:-1].unbind()), strict=True
    ):
        returns.append(torch.addcmul(now, following, returns[-1]))
    return torch.stack(returns[::-1])
