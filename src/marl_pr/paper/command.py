"""``marl reproduce``.

Everything heavy is imported inside the function, because ``marl --help`` imports this file.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Literal

import typer

from marl_core.base_config import MOST_PROCESSES
from marl_pr.paper.catalogue import GIVEN_TEAM, list_of_items

#: The sign \b keeps the lines below it as they are.
_ITEMS = f"What to make.\n\n\b\n{list_of_items()}"
_Item = Annotated[str, typer.Argument(metavar="ITEM", help=_ITEMS)]
_Seeds = Annotated[
    int | None,
    typer.Option(
        min=1,
        max=MOST_PROCESSES,
        help="How many seeds, from 0; by default 8 of PPO-MA, 5 of QMIX, 3 of Conc4Hist.",
    ),
]
_Scale = Annotated[
    Literal["paper", "table3", "small", "quick"],
    typer.Option(
        help="As long as in the paper, on two cores; ADCA as in Table 3, for a GPU; ADCA with "
        "twenty guards; or minutes that show nothing."
    ),
]
_Workers = Annotated[
    int | None,
    typer.Option(
        min=1,
        max=MOST_PROCESSES,
        help="Runs at a time; by default one for each core.",
    ),
]
_Backend = Annotated[
    Literal["local", "ray"],
    typer.Option(help="Processes on this machine, or a Ray cluster."),
]
_Out = Annotated[Path, typer.Option(help="The results go to OUT/ITEM.")]
_From = Annotated[
    Path | None,
    typer.Option(
        "--from",
        metavar="FOLDER",
        help="A finished run, or a folder of them, to take as first stages where settings agree.",
    ),
]
_Weights = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="The team of given_team: a run, a checkpoint, a state dict, or the authors' model.",
    ),
]
_Runs = Annotated[Path, typer.Option(help="Where the runs are kept, and found again.")]


def reproduce(
    item: _Item,
    seeds: _Seeds = None,
    scale: _Scale = "paper",
    workers: _Workers = None,
    backend: _Backend = "local",
    out: _Out = Path("reproduced"),
    runs: _Runs = Path("runs/reproduce"),
    source: _From = None,
    weights: _Weights = None,
) -> None:
    """Make a result of the paper from scratch: train, evaluate, write table, figure and data.

    \f
    Args:
        item: the name of an item, or ``all``.
        seeds: how many seeds; None is as many as the scale or the item asks for.
        scale: the name of the scale.
        workers: how many runs are trained at a time; None is one for each core.
        backend: of the sweep.
        out: the folder of all results.
        runs: the folder of all runs.
        source: a folder of finished runs to be taken as first stages; None: there is none.
        weights: of the team that ``given_team`` continues.

    Raises:
        UserError: there is no such item, a file cannot be written, or no run can be taken.
        Exit: with status 1, where a run failed.
    """
    from marl_pr.paper.authors_team import with_our_names
    from marl_pr.paper.registry import items_named
    from marl_pr.paper.reproduction import Reproduction
    from marl_pr.paper.scale import SCALES

    if weights is not None and item == GIVEN_TEAM:
        weights = with_our_names(weights, runs)
    chosen = items_named(item, weights)
    reproduction = Reproduction(
        SCALES[scale],
        seeds,
        runs,
        out,
        backend,
        workers or _cores(),
    )
    if source is not None:
        reproduction.take(chosen, source)
    failures: dict[str, str] = {}
    for one in chosen:
        failures |= reproduction.make(one)
        typer.echo(str(out / one.name / "table.md"))
    if failures:
        number = len(failures)
        typer.echo(f"{number} failed: why is said above and in table.md", err=True)
        raise typer.Exit(1)


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
