"""The tables of ``marl reproduce theory``."""

from __future__ import annotations

from collections.abc import Sequence

from marl_core.reports.results import RunResult
from marl_pr.paper.algorithms import PPO_MA, QMIX
from marl_pr.paper.markdown import interval_cell, markdown_table
from marl_pr.paper.scores import final_responsibility, select
from marl_pr.paper.shares import mean_share
from marl_pr.paper.table1 import Table1
from marl_pr.theory.predictions import Setting, TeamPrediction, policy_based_sizes
from marl_pr.theory.team_sizes import critical_sizes
from marl_pr.theory.value_based import critical_team_size

_POLICY_HEADER = (
    "PPO-MA, N",
    "threshold",
    "sigma",
    "p*",
    "stability",
    "Eq. 10",
    "way out",
    "gradient ascent",
    "least eta",
    "paper",
    "measured",
)
_VALUE_HEADER = (
    "QMIX, N",
    "threshold",
    "trapped above epsilon",
    "of annealing",
    "signal",
    "signal/noise",
    "least eta",
    "paper",
    "measured",
)


def sizes_table(setting: Setting) -> str:
    """The team sizes at which something changes.

    Args:
        setting: what the predictions depend on.
    """
    plain = critical_sizes(setting.actions, setting.coefficient)
    own = policy_based_sizes(setting)
    value = critical_team_size(setting.epsilon, setting.actions)
    sizes = {
        "PPO-MA: the trap is stable": (plain.trap, own.trap),
        "PPO-MA: there is no way out": (plain.no_way_out, own.no_way_out),
        "PPO-MA: Eq. 10 is out of reach (the paper's argument)": (
            plain.out_of_reach,
            own.out_of_reach,
        ),
        "QMIX: the trap holds itself up at the end of annealing": (value, value),
    }
    rows = [[text, *map(_size, pair)] for text, pair in sizes.items()]
    header = ["smallest N at which", "sigma = 1", "sigma of the task"]
    return markdown_table(header, rows)


def policy_table(
    predicted: Sequence[TeamPrediction], results: Sequence[RunResult]
) -> str:
    """The policy-based host: a row for each team.

    Args:
        predicted: what the theory says of each team.
        results: of the runs that there are.
    """
    rows = []
    for team in predicted:
        cells = _policy_cells(team)
        rows.append([*cells, *_reward_cells(results, PPO_MA, team.agents)])
    return markdown_table(_POLICY_HEADER, rows)


def value_table(
    predicted: Sequence[TeamPrediction], results: Sequence[RunResult]
) -> str:
    """The value-based host: a row for each team.

    Args:
        predicted: what the theory says of each team.
        results: of the runs that there are.
    """
    rows = []
    for team in predicted:
        cells = _value_cells(team)
        rows.append([*cells, *_reward_cells(results, QMIX, team.agents)])
    return markdown_table(_VALUE_HEADER, rows)


def _policy_cells(team: TeamPrediction) -> list[str]:
    return [
        str(team.agents),
        f"{team.threshold:.3f}",
        f"{team.trap.deviation:.2f}",
        f"{team.trap.symmetric_point():.3f}",
        f"{team.trap.symmetry_breaking():+.3f}",
        _yes(team.trap.threshold_in_reach()),
        _yes(team.negotiated is not None),
        f"{1 - team.trapped_share:.2f}",
        f"{team.least_eta_policy:.3f}",
    ]


def _value_cells(team: TeamPrediction) -> list[str]:
    return [
        str(team.agents),
        f"{team.threshold:.3f}",
        f"{team.critical_epsilon:.3f}",
        f"{team.trapped_annealing:.0%}",
        f"{team.trap_signal.difference:+.4f}",
        f"{team.trap_signal.ratio:+.3f}",
        f"{team.least_eta_value:.3f}",
    ]


def _reward_cells(
    results: Sequence[RunResult],
    algorithm: str,
    agents: int,
) -> list[str]:
    """What the paper prints for a team, and what is measured."""
    printed = "not printed"
    if agents in Table1.teams:
        place = Table1.teams.index(agents)
        printed = f"{Table1.printed[algorithm][place]:.2f}"
    runs = select(results, algorithm=algorithm, agents=agents)
    return [printed, interval_cell(mean_share(runs, final_responsibility))]


def _size(agents: int | None) -> str:
    return "none" if agents is None else str(agents)


def _yes(holds: bool) -> str:
    return "yes" if holds else "no"
