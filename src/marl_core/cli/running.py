"""The commands that train and evaluate: a thin layer over ``marl_core.api``."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from marl_core.cli.arguments import (
    ConfigArgument,
    ConfigOption,
    RunArgument,
    SetOption,
    chosen_config,
)

if TYPE_CHECKING:
    from marl_core.api.run import Run


def train(
    config_file: ConfigArgument = None,
    config: ConfigOption = None,
    overrides: SetOption = None,
    run_dir: Annotated[
        Path | None,
        typer.Option(help="Where the run goes; by default runs/NAME-SETTINGS-seedS."),
    ] = None,
) -> None:
    """Train by a config, from the start.

    \f
    Args:
        config_file: the YAML file, by its place.
        config: the YAML file, as an option.
        overrides: settings over what the file says.
        run_dir: where the run goes; None: a folder named by the config.

    Raises:
        UserError: the config cannot be run, or there is a run in the folder already.
    """
    chosen = chosen_config(config_file, config)
    from marl_core.api.sources import default_folder, source_of
    from marl_core.api.training import train as train_run

    if run_dir is None:
        source = source_of(chosen, overrides or [])
        run_dir = default_folder(source, source.config())
    with _told_how_to_go_on(run_dir):
        _report(train_run(chosen, set=overrides or [], out=run_dir))


def resume(run: RunArgument) -> None:
    """Go on with a run that was interrupted, exactly as if it had not been.

    \f
    Args:
        run: the run folder.

    Raises:
        UserError: the run cannot go on.
    """
    from marl_core.api.run import load

    begun = load(run)
    was_finished = begun.finished
    with _told_how_to_go_on(run):
        resumed = begun.resume()
    if was_finished:
        typer.echo(f"{run}: this run is finished; nothing was left to train", err=True)
    _report(resumed)


@contextmanager
def _told_how_to_go_on(folder: Path) -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt:
        advice = f"`marl resume {folder}` goes on from the newest checkpoint"
        typer.echo(f"marl: interrupted; {advice}", err=True)
        raise


def _report(run: Run) -> None:
    """Print what a finished run came to, on rank 0."""
    from marl_core.cli.printing import print_scores
    from marl_core.training.ranks import rank

    if rank() != 0:
        return
    summary = run.summary
    made = (
        None if summary.cpu is None else f"seed {summary.seed}, made on {summary.cpu}"
    )
    print_scores(summary.scores, made)
    typer.echo(f"run folder: {run.path}")


def evaluate(
    run: RunArgument,
    episodes: Annotated[
        int, typer.Option(min=2, help="Test episodes, greedy and sampled each.")
    ] = 192,
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON object on standard output.")
    ] = False,
) -> None:
    """Evaluate a run's newest policy: greedy and sampled, beside the exact value, uncoupled.

    \f
    Args:
        run: the run folder.
        episodes: test episodes, greedy and sampled each.
        as_json: print one JSON object in place of a table.

    Raises:
        UserError: there is no checkpoint yet.
    """
    from marl_core.api.run import load
    from marl_core.cli.printing import print_scores
    from marl_core.runs.provenance import cpu_name

    begun = load(run)
    scores = begun.evaluate(episodes)
    if not begun.finished:
        trained = f"{begun.trained_episodes} of {begun.config.episodes} episodes"
        message = f"this run is not finished: its checkpoint is of {trained}"
        typer.echo(f"{run}: {message}", err=True)
    if as_json:
        typer.echo(json.dumps(scores.evaluation.as_json()))
    else:
        print_scores(scores, f"seed {begun.config.seed}, evaluated on {cpu_name()}")
