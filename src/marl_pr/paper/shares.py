"""Shares of successes with intervals that hold where all or none succeed."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from marl_core.evaluation.statistics import Interval, share_interval
from marl_core.reports.results import RunResult
from marl_pr.paper.scores import Reading, mean_of

#: Half of what a 95 % interval leaves out.
_TAIL = 0.025


def mean_share(results: Sequence[RunResult], reading: Reading) -> Interval | None:
    """The mean share over runs with its 95 % interval; None without runs.

    The interval is the bootstrap's. Where all shares are 1, or all are 0, to two decimals, that
    would have no width: then it is Clopper and Pearson's, each run being one trial.

    Args:
        results: the runs.
        reading: takes a share from a run.
    """
    shares = {round(reading(run), 2) for run in results}
    if len(results) > 1 and shares in ({0.0}, {1.0}):
        return all_or_none(shares.pop(), len(results))
    return mean_of(results, reading)


def share_of_trials(share: float, trials: int) -> Interval:
    """A share of trials: Wilson's interval; Clopper and Pearson's where all succeeded, or none.

    Args:
        share: of the successes.
        trials: how many there were.
    """
    if share in (0.0, 1.0):
        return all_or_none(share, trials)
    return share_interval(torch.arange(trials) < round(share * trials))


def all_or_none(share: float, trials: int) -> Interval:
    """The 95 % interval of Clopper and Pearson where all trials succeeded, or none.

    Args:
        share: 1 or 0.
        trials: how many there were.
    """
    least = float(_TAIL ** (1 / trials))
    if share == 1:
        return Interval(1.0, least, 1.0)
    return Interval(0.0, 0.0, 1 - least)
