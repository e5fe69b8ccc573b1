"""Exact gradient ascent of N softmax policies at one Lv-C level: learning without sampling."""

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
    """Let S teams follow the expected policy gradient, and say where they arrive.

    Each agent follows ``sum_u m(u) A(u) grad log pi(u) / sigma + c_H grad H``, where m says how
    often the agent really takes each action. Without resonance this climbs
    ``E[R_C]/sigma + c_H H(pi_i)``. The product ``steps * rate`` is the time that passes. It does
    not correspond to a number of episodes.

    Args:
        trap: the team, with its entropy coefficient c_H and its sigma.
        start: the logits at the start, ``[S, N, A]``. Action 0 is u_gamma.
        eta: resonance probability in [0, 1).
        p_min: of Eq. 18; it matters only where ``eta`` is above 0.
        steps: how many steps each team takes.
        rate: the length of a step.

    Returns:
        The logits at the end, ``[S, N, A]``.
    """
    logits = start.double().clone()
    probability = torch.tensor(eta, dtype=torch.float64)
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
    policy: Float[Tensor, "S N A"],
    eta: Float[Tensor, ""],
    p_min: float,
) -> Float[Tensor, "S N A"]:
    joint = resonate(policy, eta, p_min)
    return _pull(joint.marginal(), reward_difference(joint, 0))


def _pull(
    taken: Float[Tensor, "S N A"],
    difference: Float[Tensor, "S N"],
) -> Float[Tensor, "S N A"]:
    """The gradient of the reward with respect to the logits.

    E[R_C | u_i] has one value for u_gamma and one value for all other actions.

    Args:
        taken: how often each agent really takes each action, ``[S, N, A]``.
        difference: between these two values, ``[S, N]``.
    """
    gamma = torch.zeros_like(taken)
    gamma[..., 0] = 1
    return taken * (gamma - taken[..., :1]) * difference.unsqueeze(-1)


def new_logits(
    trap: EntropyTrap,
    teams: int,
    spread: float,
    generator: torch.Generator,
) -> Float[Tensor, "S N A"]:
    """Draw the logits of nearly uniform policies from a normal distribution of mean 0.

    Args:
        trap: says how many agents and actions there are.
        teams: S, how many teams to draw.
        spread: standard deviation of the logits.
        generator: what is drawn from, on the CPU.
    """
    shape = (teams, trap.agents, trap.actions)
    return spread * torch.randn(shape, dtype=torch.float64, generator=generator)


def is_trapped(logits: Float[Tensor, "S N A"]) -> Bool[Tensor, "S"]:
    """Say which teams are trapped: all agents' greedy action is u_gamma, so the reward is 0.

    Args:
        logits: of S teams, ``[S, N, A]``. Action 0 is u_gamma.
    """
    return (logits.argmax(-1) == 0).all(-1)


def greedy_reward(logits: Float[Tensor, "S N A"]) -> Float[Tensor, "S"]:
    """R_C of the greedy joint action, Eq. 2.

    Args:
        logits: of S teams, ``[S, N, A]``. Action 0 is u_gamma.
    """
    agents = logits.shape[-2]
    taking = (logits.argmax(-1) == 0).sum(-1)
    return torch.where(taking == agents, 0.0, taking.double() / (agents - 1))


def trapped_share(
    trap: EntropyTrap,
    spread: float,
    *,
    teams: int = 64,
    seed: int = 0,
    steps: int = 1000,
) -> float:
    """The share of teams with new logits that end in the trap.

    Args:
        trap: the team.
        spread: standard deviation of the logits at the start.
        teams: how many teams climb.
        seed: of the draw of their logits.
        steps: how many steps each team takes.
    """
    generator = torch.Generator().manual_seed(seed)
    start = new_logits(trap, teams, spread, generator)
    trapped = is_trapped(climb(trap, start, steps=steps))
    return float(trapped.double().mean())
