"""A diagnosis on the terminal."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Console
from rich.table import Table
from rich.text import Text

from marl_core.errors import printable
from marl_core.evaluation.statistics import Interval
from marl_pr.diagnosis.deviators import MANY, RARELY
from marl_pr.diagnosis.diagnosis import PROBE_ETA, Diagnosis
from marl_pr.diagnosis.predicted import predicted_trap
from marl_pr.diagnosis.sentence import Subject, next_command, remark, sentence
from marl_pr.diagnosis.signal import Signal

#: Agents in the table; ``--json`` has them all.
_SHOWN = 16


def print_diagnosis(
    found: Diagnosis,
    subject: Subject,
) -> None:
    """Print a diagnosis: tables, and the verdict last.

    Args:
        found: the diagnosis.
        subject: of what.
    """
    console = Console()
    console.print(_counts(found))
    for line in _lines(found):
        console.print(Text(printable(line)))
    console.print(_parts(found))
    console.print(_agents(found))
    console.print(Text(printable(sentence(found)), "bold"))
    more = remark(found)
    if more is not None:
        console.print(Text(printable(more)))
    console.print(Text("Try next:"))
    # Not wrapped, so that it can be copied.
    console.print(Text(printable("  " + next_command(found, subject))), soft_wrap=True)


def counts_named() -> list[str]:
    """The rows of the table of deviators."""
    return [*map(str, range(MANY)), f"{MANY} or more"]


def _counts(found: Diagnosis) -> Table:
    title = f"{found.episodes} episodes, {found.agents} agents: deviators in a step"
    rows = zip(
        counts_named(),
        found.independent_counts,
        found.resonant_counts,
        strict=True,
    )
    table = _table(title, ("", "independent", f"in resonance (eta {PROBE_ETA:g})"))
    for name, independent, resonant in rows:
        table.add_row(name, _shown(independent), _shown(resonant))
    return table


def _lines(found: Diagnosis) -> Iterable[str]:
    crowd = found.crowd
    yield (
        f"An agent deviates in {crowd.rate:.3g} of its steps. None of the others does in "
        f"{crowd.alone:.3g} of them; by (1 - d)^(N - 1) it would be {crowd.expected:.3g}."
    )
    yield (
        f"At this rate that is below {RARELY:g} from N = {_size(crowd.rarely_alone_from)}, and "
        f"the trap of a task such as FME's Lv-C holds itself up from N = "
        f"{_size(crowd.trap_from)} (Eq. 9)."
    )
    if found.entropy > 0:
        trap = _size(predicted_trap(found))
        yield (
            f"By c_H = {found.entropy:g} and {found.actions} actions alone, Lv-C's trap is "
            f"stable from N = {trap} (sigma = 1)."
        )
    yield (
        f"Return: greedy {_shown(found.greedy)}, sampled {_shown(found.sampled)}, "
        f"difference {_shown(found.gap)}."
    )


def _parts(found: Diagnosis) -> Table:
    """A line for each part of an episode."""
    headings = ("", "counts from", "lost", "heard in resonance", "held", "unclear")
    table = _table("Agents in each part of an episode", headings)
    verdict = found.verdict
    columns = (verdict.lost, verdict.heard, verdict.held, verdict.unclear)
    for index, name in enumerate(found.windows):
        numbers = [str(int(column[index].sum())) for column in columns]
        table.add_row(
            Text(printable(name)),
            f"{float(found.worth[index]):.3g}",
            *numbers,
        )
    return table


def _agents(found: Diagnosis) -> Table:
    """Each agent's signals in the part that says most."""
    name = found.windows[found.telling]
    more = "" if found.agents <= _SHOWN else f", the first {_SHOWN}"
    title = f"What deviating is worth, agent by agent, in {name}{more} (95 % intervals)"
    headings = ("agent", "alone", "its own samples", "in resonance")
    table = _table(title, headings)
    columns = [
        _column(signal, found.telling)
        for signal in (
            found.signals.alone,
            found.signals.independent,
            found.signals.resonant,
        )
    ]
    rows = list(zip(*columns, strict=True))
    for agent, row in enumerate(rows[:_SHOWN]):
        table.add_row(str(agent), *row)
    return table


def _column(
    signal: Signal,
    window: int,
) -> list[str]:
    _, high = signal.interval()
    half = high - signal.mean
    shown = []
    for mean, width in zip(signal.mean[window], half[window], strict=True):
        known = bool(width.isfinite())
        shown.append(f"{mean:.3f} ± {width:.3f}" if known else "too few")
    return shown


def _table(
    title: str,
    headings: Iterable[str],
) -> Table:
    table = Table(title=printable(title), title_justify="left")
    for heading in headings:
        table.add_column(heading, justify="right")
    return table


def _shown(value: Interval) -> str:
    return f"{value.mean:.3f} [{value.low:.3f}, {value.high:.3f}]"


def _size(number: int | None) -> str:
    return "no size on" if number is None else str(number)
