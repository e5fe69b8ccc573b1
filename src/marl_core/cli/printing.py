"""Scores as a table on the terminal."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table
from rich.text import Text

from marl_core.api.summary import Scores
from marl_core.errors import printable
from marl_core.evaluation.statistics import Interval

#: One run is one seed, and rounding differs between processors.
_ONE_SEED = "other seeds and other CPUs give other numbers"


def print_scores(scores: Scores, made: str | None) -> None:
    """Print scores, with a line that says of which seed and CPU they are.

    Args:
        scores: what a policy earns.
        made: seed and CPU; None where they are not known.
    """
    caption = _ONE_SEED if made is None else printable(f"{made}; {_ONE_SEED}")
    episodes = f"{scores.episodes} test episodes"
    table = Table(
        title=f"{episodes}, without the team's coupling (95 % intervals)",
        caption=Text(caption, "table.caption"),
    )
    for column in ("", "exact (greedy)", "greedy", "sampled"):
        table.add_column(column, justify="right")
    for name, score in scores.items():
        exact = "-" if score.exact is None else f"{score.exact:.4f}"
        table.add_row(
            Text(printable(name)),
            exact,
            _shown(score.greedy),
            _shown(score.sampled),
        )
    Console().print(table)


def _shown(value: Interval) -> str:
    return f"{value.mean:.3f} [{value.low:.3f}, {value.high:.3f}]"
