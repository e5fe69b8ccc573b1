"""Exact gradient ascent of N softmax policies at one Lv-C: learning with the sampling taken out."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from marl_pr.resonance import resonate
from marl_pr.theory.policy_based import EntropyTrap
from marl_pr.theory.responsibility import reward_difference, reward_gradient


def climb(
    trap: EntropyTrap,
    start: Float[Tensor, "S N A"],
    *,
    eta: float = 0.0,
    p_min: float = 0.0,
    steps: int = 1000,
    rate: float = 8.0,
) -> Float[Tensor, "S N A"]:
    """Where S teams come to from the logits ``start``; action 0 is u_gamma. Returns logits.

    Each agent follows its policy gradient in expectation, ``sum_u m(u) A(u) grad log pi(u) / sigma + c_H grad H``, with
    m how often it really takes each action. Without resonance that climbs ``E[R_C]/sigma + c_H H(pi_i)``.
    ``steps * rate`` is the time; it is no number of episodes.
    """
    logits, probability = start.double().clone(), torch.tensor(eta, dtype=torch.float64)
    for _ in range(steps):
        log_policy = logits.log_softmax(-1)
        policy = log_policy.exp()
        pull = (
            _resonant_pull(policy, probability, p_min)
            if eta > 0
            else _independent_pull(policy)
        )
        logits += rate / trap.deviation * pull
        surprise = -log_policy
        entropy = (policy * surprise).sum(-1, keepdim=True)
        logits += rate * trap.coefficient * policy * (surprise - entropy)
    return logits


def _independent_pull(policy: Float[Tensor, "S N A"]) -> Float[Tensor, "S N A"]:
    return _pull(policy, reward_gradient(policy[..., 0]))


def _resonant_pull(
    policy: Float[Tensor, "S N A"], eta: Float[Tensor, ""], p_min: float
) -> Float[Tensor, "S N A"]:
    joint = resonate(policy, eta, p_min)
    return _pull(joint.marginal(), reward_difference(joint, 0))


def _pull(
    taken: Float[Tensor, "S N A"], difference: Float[Tensor, "S N"]
) -> Float[Tensor, "S N A"]:
    """The reward's gradient over the logits. E[R_C | u_i] is one number for u_gamma and one for all other actions."""
    gamma = torch.zeros_like(taken)
    gamma[..., 0] = 1
    return taken * (gamma - taken[..., :1]) * difference.unsqueeze(-1)


def new_logits(
    trap: EntropyTrap, teams: int, spread: float, generator: torch.Generator
) -> Float[Tensor, "S N A"]:
    """Nearly uniform: normal, of mean 0 and deviation ``spread``."""
    shape = (teams, trap.agents, trap.actions)
    return spread * torch.randn(shape, dtype=torch.float64, generator=generator)


def is_trapped(logits: Float[Tensor, "S N A"]) -> Bool[Tensor, "S"]:
    """Whether all agents' greedy action is u_gamma, so that the greedy reward is 0."""
    return (logits.argmax(-1) == 0).all(-1)


def greedy_reward(logits: Float[Tensor, "S N A"]) -> Float[Tensor, "S"]:
    """R_C of the greedy joint action, Eq. 2."""
    taking, agents = (logits.argmax(-1) == 0).sum(-1), logits.shape[-2]
    return torch.where(taking == agents, 0.0, taking.double() / (agents - 1))


def trapped_share(
    trap: EntropyTrap,
    spread: float,
    *,
    teams: int = 64,
    seed: int = 0,
    steps: int = 1000,
) -> float:
    """The share of new teams that end with everybody on u_gamma."""
    generator = torch.Generator().manual_seed(seed)
    ends = climb(trap, new_logits(trap, teams, spread, generator), steps=steps)
    return float(is_trapped(ends).double().mean())
