"""``marl reproduce``. Heavy imports happen inside of it: ``marl --help`` imports this file."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Literal

import typer


def reproduce(
    item: Annotated[
        str,
        typer.Argument(
            metavar="ITEM", help="A figure or table, as table1 or fig5; or all."
        ),
    ],
    seeds: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="How many seeds, from 0; by default 8 of PPO-MA, 5 of QMIX, 3 of Conc4Hist.",
        ),
    ] = None,
    scale: Annotated[
        Literal["paper", "small", "quick"],
        typer.Option(
            help="As long as in the paper; the same, but ADCA with ten guards; or minutes."
        ),
    ] = "paper",
    workers: Annotated[
        int | None, typer.Option(min=1, help="Runs at a time; by default one a core.")
    ] = None,
    backend: Annotated[
        Literal["local", "ray"], typer.Option(help="Processes here, or a Ray cluster.")
    ] = "local",
    out: Annotated[Path, typer.Option(help="The results go to OUT/ITEM.")] = Path(
        "reproduced"
    ),
    runs: Annotated[
        Path, typer.Option(help="Where the runs are kept, and found again.")
    ] = Path("runs/reproduce"),
) -> None:
    """Make a result of the paper from scratch: train, evaluate, write table, figure and data."""
    from marl_pr.paper.registry import items_named
    from marl_pr.paper.reproduction import Reproduction
    from marl_pr.paper.scale import SCALES

    chosen = items_named(item)
    reproduction = Reproduction(
        SCALES[scale], seeds, runs, out, backend, workers or _cores()
    )
    failures: dict[str, str] = {}
    for one in chosen:
        failures |= reproduction.make(one)
        typer.echo(str(out / one.name / "table.md"))
    if failures:
        typer.echo(
            f"{len(failures)} failed: why is said above and in table.md", err=True
        )
        raise typer.Exit(1)


def _cores() -> int:
    return (
        len(os.sched_getaffinity(0))
        if hasattr(os, "sched_getaffinity")
        else os.cpu_count() or 1
    )
