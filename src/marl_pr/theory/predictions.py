"""What the theory says of each team of an FME task: the rows of docs/paper/theory.md and of ``marl reproduce theory``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from marl_envs.fme.config import FMEConfig
from marl_envs.fme.rewards import LevelTable
from marl_pr.theory.mean_field import trapped_share
from marl_pr.theory.noise import trap_deviation
from marl_pr.theory.policy_based import CriticalSizes, EntropyTrap, critical_sizes
from marl_pr.theory.responsibility import (
    critical_probability,
    epsilon_greedy_probability,
)
from marl_pr.theory.trap import TrapSignal, least_dissolving_eta, trap_signal
from marl_pr.theory.value_based import critical_epsilon, trapped_share_of_annealing


@dataclass(frozen=True)
class Setting:
    """What the predictions depend on; the defaults are those of Table 3 and of 1A4B2C.

    Attributes:
        tag: the task, which decides sigma.
        actions: n_k.
        coefficient: c_H, the entropy coefficient.
        epsilon: where epsilon-greedy ends.
        spread: standard deviation of the logits from which gradient ascent starts.
    """

    tag: str = "1A4B2C"
    actions: int = 10
    coefficient: float = 0.05
    epsilon: float = 0.1
    spread: float = 0.1

    def trap_of(self, agents: int) -> EntropyTrap:
        """The policy-based team, with the sigma that its task has when it is trapped."""
        return EntropyTrap(
            agents, self.actions, self.coefficient, self.deviation(agents)
        )

    def deviation(self, agents: int) -> float:
        """Sigma of N agents."""
        return _deviation(self.tag, agents, self.actions, self.coefficient)


@cache
def _deviation(tag: str, agents: int, actions: int, coefficient: float) -> float:
    levels = FMEConfig(
        name="fme", agents=agents, actions=actions, tag=tag
    ).resolved_levels()
    return trap_deviation(LevelTable.build(levels, agents, actions, "cpu"), coefficient)


@dataclass(frozen=True)
class TeamPrediction:
    """One row.

    Attributes:
        threshold: N^(-1/(N-1)), Eq. 10.
        trap: the policy-based team; its sigma, p* and stability.
        negotiated: pi(u_gamma) of all but one agent where one has stepped back; None where that is not stationary.
        trapped_share: of teams that climb the exact gradient from nearly uniform policies, how many end in the trap.
        trap_signal: what epsilon-greedy agents see of the trap once epsilon is at its end.
        critical_epsilon: epsilon below which that trap is not self-consistent.
        trapped_annealing: the share of annealing from 1 in which it is.
        least_eta_policy: eta above which resonance dissolves the trap of the policy-based team.
        least_eta_value: and of the value-based team.
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
    """The row of a team of N >= 2 agents. Seconds for a large team."""
    trap = setting.trap_of(agents)
    greedy = epsilon_greedy_probability(setting.epsilon, setting.actions)
    negotiated = trap.negotiated_point()
    return TeamPrediction(
        agents=agents,
        threshold=critical_probability(agents),
        trap=trap,
        negotiated=None if negotiated is None else negotiated[1],
        trapped_share=trapped_share(trap, setting.spread),
        trap_signal=trap_signal(agents, greedy),
        critical_epsilon=critical_epsilon(agents, setting.actions),
        trapped_annealing=trapped_share_of_annealing(
            agents, setting.actions, last=setting.epsilon
        ),
        least_eta_policy=least_dissolving_eta(agents, trap.symmetric_point()),
        least_eta_value=least_dissolving_eta(agents, greedy),
    )


def predictions(
    teams: Sequence[int], setting: Setting = Setting()
) -> list[TeamPrediction]:
    """A row for each team."""
    return [predict(agents, setting) for agents in teams]


@cache
def policy_based_sizes(
    setting: Setting = Setting(), largest: int = 40
) -> CriticalSizes:
    """N_c of the policy-based host, with the task's sigma."""
    return critical_sizes(
        setting.actions, setting.coefficient, setting.deviation, largest
    )
