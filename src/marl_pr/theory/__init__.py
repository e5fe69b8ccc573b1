"""The diffusion of responsibility as formulas: when a team is trapped, and how resonance frees it.

docs/paper/theory.md compares them with measurements.
"""

from marl_pr.theory.policy_based import EntropyTrap
from marl_pr.theory.responsibility import (
    critical_probability,
    epsilon_greedy_penalty,
    epsilon_greedy_probability,
    expected_reward,
    joint_expected_reward,
    joint_penalty_probability,
    penalty_probability,
    reward_difference,
    reward_gradient,
)
from marl_pr.theory.team_sizes import CriticalSizes, critical_sizes
from marl_pr.theory.trap import (
    TrapSignal,
    least_dissolving_eta,
    policy_pull,
    trap_signal,
)
from marl_pr.theory.value_based import (
    critical_epsilon,
    critical_team_size,
    least_eta,
    trapped_share_of_annealing,
)

__all__ = [
    "CriticalSizes",
    "EntropyTrap",
    "TrapSignal",
    "critical_epsilon",
    "critical_probability",
    "critical_sizes",
    "critical_team_size",
    "epsilon_greedy_penalty",
    "epsilon_greedy_probability",
    "expected_reward",
    "joint_expected_reward",
    "joint_penalty_probability",
    "least_dissolving_eta",
    "least_eta",
    "penalty_probability",
    "policy_pull",
    "reward_difference",
    "reward_gradient",
    "trap_signal",
    "trapped_share_of_annealing",
]
