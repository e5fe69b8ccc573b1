"""Advantages and returns, and rewards of the dead."""

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
    """Generalised advantage estimation over whole episodes of different lengths.

    ``A_t = sum_k (gamma lam)^k delta_{t+k}`` with ``delta_t = r_t + gamma V_{t+1} - V_t`` (Schulman
    et al. 2016). A terminated game has no value after its end; a truncated one is bootstrapped with
    ``last_values``.

    Args:
        reward: each agent's.
        values: V of what each agent saw before each step.
        last_values: V of what each agent sees after its game's last step.
        terminated: the task itself ended with this step.
        valid: which games were on.
        gamma: discount of a step.
        lam: lambda.

    Returns:
        The advantages; 0 in the padding.
    """
    steps = reward.shape[0]
    advantage = torch.zeros_like(last_values)
    out = torch.empty_like(values)
    for t in range(steps - 1, -1, -1):
        following = last_values
        if t + 1 < steps:
            goes_on = valid[t + 1].unsqueeze(-1)
            following = torch.where(
                goes_on,
                values[t + 1],
                last_values,
            )
        discount = gamma * (~terminated[t]).unsqueeze(-1).to(values.dtype)
        delta = reward[t] + discount * following - values[t]
        found = delta + gamma * lam * advantage
        # After its last step a game's advantage is 0, so that it adds nothing to the step before.
        advantage = torch.where(
            valid[t].unsqueeze(-1),
            found,
            0.0,
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
    """TD(lambda) returns over whole episodes of different lengths.

    ``G_t = r_t + gamma [(1 - lam) V_{t+1} + lam G_{t+1}]`` (Sutton and Barto 2018, Eq. 12.18,
    recursively), and ``r_t`` alone at a termination. In the last step of a truncated game all
    weight is on ``V_{t+1}``.

    Args:
        reward: the team's.
        next_values: the value of what follows each step; anything after a termination.
        terminated: the task itself ended with this step.
        valid: which games were on.
        gamma: discount of a step.
        lam: lambda.

    Returns:
        The returns; 0 in the padding.
    """
    goes_on = torch.cat([valid[1:], torch.zeros_like(valid[:1])])
    discount = gamma * (valid & ~terminated).to(next_values.dtype)
    # Of the discount, this part is on G_{t+1}; what is left of it is on V_{t+1}.
    on_return = discount * goes_on * lam
    earned = torch.where(valid, reward, 0.0)
    ahead = torch.where(discount > 0, next_values, 0.0)
    at_once = earned + (discount - on_return) * ahead
    if lam == 0:  # nothing is waited for
        return at_once
    returns = [at_once[-1]]
    earlier = zip(
        reversed(at_once[:-1].unbind()),
        reversed(on_return[:-1].unbind()),
        strict=True,
    )
    for now, weight in earlier:
        returns.append(torch.addcmul(now, weight, returns[-1]))
    return torch.stack(returns[::-1])


def rewards_of_the_living(
    reward: Float[Tensor, "T E N"],
    acting: Bool[Tensor, "T E N"] | None,
    valid: Bool[Tensor, "T E"],
    factor: float,
) -> Float[Tensor, "T E N"]:
    """Rewards in which what a dead agent earns is moved back to the last step in which it acted.

    The reward is multiplied by ``factor`` for each step. So an agent that dies k steps before a
    victory gets ``factor ** k`` of its bonus. Rewards after the end of a game are left out, and so
    are the rewards of an agent that never acted.

    Args:
        reward: each agent's own.
        acting: which samples are of a living agent in a game that is on; None: nobody can die, so
            that nothing is moved.
        valid: which games were on.
        factor: from 0 to 1.
    """
    if acting is None:
        return torch.where(valid.unsqueeze(-1), reward, 0.0)
    moved = torch.empty_like(reward)
    carried = torch.zeros_like(reward[0])
    for t in range(
        reward.shape[0] - 1,
        -1,
        -1,
    ):
        earned = torch.where(
            valid[t].unsqueeze(-1),
            reward[t] + factor * carried,
            0.0,
        )
        moved[t] = torch.where(acting[t], earned, 0.0)
        carried = torch.where(acting[t], 0.0, earned)
    return moved
