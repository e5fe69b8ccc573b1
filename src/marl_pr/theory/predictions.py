"""What the theory says of each team of an FME task.

These are the rows of docs/paper/theory.md and of ``marl reproduce theory``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from marl_envs.fme.config import FMEConfig
from marl_envs.fme.rewards import LevelTable
from marl_pr.theory.mean_field import trapped_share
from marl_pr.theory.noise import trap_deviation
from marl_pr.theory.policy_based import EntropyTrap
from marl_pr.theory.responsibility import (
    critical_probability,
    epsilon_greedy_probability,
)
from marl_pr.theory.team_sizes import CriticalSizes, critical_sizes
from marl_pr.theory.trap import TrapSignal, least_dissolving_eta, trap_signal
from marl_pr.theory.value_based import critical_epsilon, trapped_share_of_annealing


@dataclass(frozen=True)
class Setting:
    """What the predictions depend on. The defaults are those of Table 3 and of task 1A4B2C.

    Args:
        tag: the task, which decides sigma.
        actions: n_k.
        coefficient: c_H, the entropy coefficient.
        epsilon: the epsilon at which epsilon-greedy ends.
        spread: standard deviation of the logits from which gradient ascent starts.
    """

    tag: str = "1A4B2C"
    actions: int = 10
    coefficient: float = 0.05
    epsilon: float = 0.1
    spread: float = 0.1

    def trap_of(self, agents: int) -> EntropyTrap:
        """The policy-based team, with the sigma that its task has when the team is trapped.

        Args:
            agents: N, at least 2.
        """
        sigma = self.deviation(agents)
        return EntropyTrap(agents, self.actions, self.coefficient, sigma)

    def deviation(self, agents: int) -> float:
        """Sigma of a trapped team.

        Args:
            agents: N, at least 2.
        """
        return _deviation(self.tag, agents, self.actions, self.coefficient)


@cache
def _deviation(tag: str, agents: int, actions: int, coefficient: float) -> float:
    task = FMEConfig(name="fme", agents=agents, actions=actions, tag=tag)
    table = LevelTable.build(task.resolved_levels(), agents, actions, "cpu")
    return trap_deviation(table, coefficient)


@dataclass(frozen=True)
class TeamPrediction:
    """What the theory says of one team.

    Args:
        agents: N.
        threshold: N^(-1/(N-1)), Eq. 10.
        trap: the policy-based team, with its sigma, p* and stability.
        negotiated: pi(u_gamma) of all agents but one where that one has stepped back; None where
            such a policy is not stationary.
        trapped_share: the share of teams that end in the trap when they climb the exact gradient
            from nearly uniform policies.
        trap_signal: what epsilon-greedy agents see of the trap once epsilon is at its end.
        critical_epsilon: the epsilon below which the trap of epsilon-greedy agents is not
            self-consistent.
        trapped_annealing: the share of the annealing from 1 during which that trap is
            self-consistent.
        least_eta_policy: the eta above which resonance dissolves the trap of the policy-based team.
        least_eta_value: the same for the value-based team.
    """

    agents: int
    threshold: float
    trap: EntropyTrap
    negotiated: float | None
    trapped_share: float
    trap_signal: TrapSignal
    critical_epsilon: float
    trapped_annealing: float
    least_eta_policy: float
    least_eta_value: float


@cache
def predict(agents: int, setting: Setting = Setting()) -> TeamPrediction:
    """Say everything about one team. It takes seconds for a large team.

    Args:
        agents: N, at least 2.
        setting: the task and the hosts' settings.
    """
    trap = setting.trap_of(agents)
    greedy = epsilon_greedy_probability(setting.epsilon, setting.actions)
    point = trap.negotiated_point()
    share = trapped_share_of_annealing(agents, setting.actions, last=setting.epsilon)
    return TeamPrediction(
        agents=agents,
        threshold=critical_probability(agents),
        trap=trap,
        negotiated=None if point is None else point[1],
        trapped_share=trapped_share(trap, setting.spread),
        trap_signal=trap_signal(agents, greedy),
        critical_epsilon=critical_epsilon(agents, setting.actions),
        trapped_annealing=share,
        least_eta_policy=least_dissolving_eta(agents, trap.symmetric_point()),
        least_eta_value=least_dissolving_eta(agents, greedy),
    )


def predictions(
    teams: Sequence[int], setting: Setting = Setting()
) -> list[TeamPrediction]:
    """Say everything about each of several teams.

    Args:
        teams: N of each team.
        setting: the task and the hosts' settings.
    """
    return [predict(agents, setting) for agents in teams]


@cache
def policy_based_sizes(
    setting: Setting = Setting(), largest: int = 40
) -> CriticalSizes:
    """The critical sizes of the policy-based host, with the sigma of the task.

    Args:
        setting: the task and the host's settings.
        largest: the largest team that is looked at.
    """
    return critical_sizes(
        setting.actions, setting.coefficient, setting.deviation, largest
    )
