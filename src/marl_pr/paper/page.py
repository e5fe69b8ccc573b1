"""``table.md``: how an item was made, its table, and how to read it.

Nothing on the page depends on how the runs came about.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from marl_core.reports.results import RunResult
from marl_pr.paper.item import Item
from marl_pr.paper.labelled_job import LabelledJob
from marl_pr.paper.scores import are_single_runs

_SINGLE_RUNS = (
    "**Single runs**: there is one run of each kind, so no number of a run has an interval, and "
    "none says how other seeds would end.\n"
)


def page_of(
    item: Item,
    jobs: Sequence[LabelledJob],
    results: Sequence[RunResult],
    failures: Mapping[str, str],
    command: str,
    warning: str = "",
) -> str:
    """The page of an item, in Markdown.

    Args:
        item: what was made.
        jobs: all of its runs.
        results: of the runs that there are.
        failures: from the name of each run that is missing to one line that says why.
        command: what makes the item.
        warning: what to say of all numbers first; empty: nothing.
    """
    parts = [
        f"# {item.title}\n",
        f"    {command}\n",
        f"Episodes: {_lengths_of(jobs)}. Seeds: {_seeds_of(jobs)}. "
        f"Runs: {len(results)} of {len(jobs)}.\n",
    ]
    if warning:
        parts.append(warning)
    if failures:
        parts.append(_missing(failures))
    if results and are_single_runs(results):
        parts.append(_SINGLE_RUNS)
    parts.append(item.table(results))
    if item.notes:
        parts.append(f"{item.notes}\n")
    return "\n".join(parts)


def _missing(failures: Mapping[str, str]) -> str:
    lines = [f"- {name}: {why}\n" for name, why in sorted(failures.items())]
    return f"**Missing, because the run failed:**\n\n{''.join(lines)}"


def _lengths_of(jobs: Sequence[LabelledJob]) -> str:
    """Of the stages, where runs differ: ``262,144, and 262,144 + 131,072``."""
    lengths = []
    for one in jobs:
        stages = [f"{stage.episodes:,}" for stage in one.job.config.stages]
        lengths.append(" + ".join(stages))
    return ", and ".join(dict.fromkeys(lengths))


def _seeds_of(jobs: Sequence[LabelledJob]) -> str:
    """By host: ``0 to 7 (ppo_ma), 0 to 4 (qmix)``."""
    last: dict[str, int] = {}
    for one in jobs:
        config = one.job.config
        host = config.host.name
        last[host] = max(config.seed, last.get(host, 0))
    return ", ".join(f"{_up_to(seed)} ({host})" for host, seed in last.items())


def _up_to(seed: int) -> str:
    return "0" if seed == 0 else f"0 to {seed}"
