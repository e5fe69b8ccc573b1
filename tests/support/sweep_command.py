"""A sweep as a command: ``python -m tests.support.sweep_command FOLDER WORKERS UPDATES``."""

from __future__ import annotations

from pathlib import Path

import typer

from marl_core.sweep import Job, run_sweep
from tests.support.sweeps import chain, config


def sweep_jobs(updates: int) -> list[Job]:
    """Two runs, one of them continued."""
    often = {"checkpoint_every": 2, "evaluate_every": 20}
    return [*chain(3, updates, **often), Job("alone", config(4, 1, updates, **often))]


def sweep(folder: Path, workers: int, updates: int) -> None:
    """Run it."""
    failures = run_sweep(sweep_jobs(updates), folder, workers=workers)
    for name, failure in failures.items():
        typer.echo(f"{name}: {failure}")


if __name__ == "__main__":
    typer.run(sweep)
