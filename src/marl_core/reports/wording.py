"""What metrics are called in figures and tables."""

from __future__ import annotations

from marl_core.reports.run_log import component_name, is_coupling, is_evaluation

_HOW_PLAYED = {
    "exact": "greedy, exact",
    "greedy": "greedy",
    "sampled": "sampled",
}

#: More seeds than that are not named one by one.
_NAMED_SEEDS = 20


def metric_title(metric: str) -> str:
    """Say a metric's name in words: ``win rate (greedy)`` for ``greedy/win_rate``.

    Args:
        metric: its name in ``metrics.csv``.
    """
    if is_coupling(metric):
        component = component_name(metric)
        return f"probability of '{component}' in training"
    if not is_evaluation(metric):
        return metric
    how, _, what = metric.partition("/")
    return f"{what.replace('_', ' ')} ({_HOW_PLAYED[how]})"


def seeds_text(seeds: list[int]) -> str:
    """Name seeds: ``seed 3``, or ``seeds 0, 1, 2``, or ``1,000 seeds from 0 to 999``.

    Args:
        seeds: in the order in which they are named.
    """
    if len(seeds) > _NAMED_SEEDS:
        return f"{len(seeds):,} seeds from {min(seeds)} to {max(seeds)}"
    plural = "s" if len(seeds) > 1 else ""
    return f"seed{plural} {', '.join(map(str, seeds))}"


def is_share(metric: str) -> bool:
    """Whether the values of a metric are shares, between 0 and 1.

    Args:
        metric: its name in ``metrics.csv``.
    """
    return metric.endswith("/win_rate") or is_coupling(metric)
