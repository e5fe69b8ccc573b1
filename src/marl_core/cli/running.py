"""The commands that train and evaluate: a thin layer over ``marl_core.api``."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from marl_core.base_config import MOST_TEST_EPISODES
from marl_core.cli.arguments import (
    CheckpointOption,
    ConfigArgument,
    ConfigOption,
    RunArgument,
    SetOption,
    TrustOption,
    chosen_config,
)
from marl_core.cli.at_once import ending_at_once
from marl_core.cli.saying import say
from marl_core.errors import AskedToEnd

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
    resume: Annotated[
        bool,
        typer.Option(
            "--resume", help="Go on if the folder holds this very run already."
        ),
    ] = False,
    weights: Annotated[
        Path | None,
        typer.Option(
            help="What the team begins with: a run folder, a checkpoint or a saved state dict."
        ),
    ] = None,
) -> None:
    """Train by a config, from the start.

    \f
    Args:
        config_file: the YAML file, by its place.
        config: the YAML file, as an option.
        overrides: settings over what the file says.
        run_dir: where the run goes; None: a folder named by the config.
        resume: go on where the folder holds this very run already.
        weights: what the team begins with; None: all parameters are drawn anew.

    Raises:
        UserError: the config cannot be run, no parameter fits, or there is a run in the folder
            already.
    """
    chosen = chosen_config(config_file, config)
    with ending_at_once():
        from marl_core.api.sources import default_folder, source_of
        from marl_core.api.training import train as train_run

    if run_dir is None:
        source = source_of(chosen, overrides or [])
        run_dir = default_folder(source, source.config())
    with _told_how_to_go_on(run_dir):
        settings = overrides or []
        run = train_run(
            chosen,
            set=settings,
            out=run_dir,
            resume=resume,
            weights=weights,
        )
        _report(run)


def resume(
    run: RunArgument,
    trust: TrustOption = False,
    changed_code: Annotated[
        bool,
        typer.Option(
            "--changed-code",
            help="Go on though a module that the config names has changed.",
        ),
    ] = False,
) -> None:
    """Go on with a run that was interrupted, exactly as if it had not been.

    \f
    Args:
        run: the run folder.
        trust: whether the code that it names may be run.
        changed_code: whether to go on though that code has changed.

    Raises:
        UserError: the run cannot go on.
    """
    with ending_at_once():
        from marl_core.api.run import load

    with _told_how_to_go_on(run):
        begun = load(run, trust=trust)
        was_finished = begun.finished
        resumed = begun.resume(changed_code=changed_code)
        if was_finished and _is_first(resumed):
            say(f"{run}: this run is finished; nothing was left to train", err=True)
        _report(resumed)


@contextmanager
def _told_how_to_go_on(folder: Path) -> Iterator[None]:
    try:
        yield
    except (KeyboardInterrupt, AskedToEnd) as error:
        by = f" by {error.signal}" if isinstance(error, AskedToEnd) else ""
        advice = "nothing was begun"
        if (folder / "config.yaml").exists():
            advice = f"`marl resume {folder}` goes on from the newest checkpoint"
        say(f"marl: interrupted{by}; {advice}", err=True)
        raise


def _report(run: Run) -> None:
    """Print what a finished run came to, on rank 0."""
    from marl_core.cli.printing import print_scores

    if not _is_first(run):
        return
    summary = run.summary
    made = (
        None if summary.cpu is None else f"seed {summary.seed}, made on {summary.cpu}"
    )
    print_scores(summary.scores, made)
    say(f"run folder: {run.path}")


def _is_first(run: Run) -> bool:
    """Whether this process is rank 0 of a run."""
    from marl_core.training.place import place_of

    return place_of(run.config.training).rank == 0


def evaluate(
    run: RunArgument,
    episodes: Annotated[
        int,
        typer.Option(
            min=2,
            max=MOST_TEST_EPISODES,
            help="Test episodes, greedy and sampled each.",
        ),
    ] = 192,
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON object on standard output.")
    ] = False,
    checkpoint: CheckpointOption = None,
    trust: TrustOption = False,
) -> None:
    """Evaluate a run's newest policy: greedy and sampled, beside the exact value, uncoupled.

    \f
    Args:
        run: the run folder.
        episodes: test episodes, greedy and sampled each.
        as_json: print one JSON object in place of a table.
        checkpoint: which kept checkpoint; None: the newest.
        trust: whether the code that the run folder names may be run.

    Raises:
        UserError: there is no checkpoint yet.
    """
    with ending_at_once():
        from marl_core.api.run import load
        from marl_core.cli.printing import print_scores
        from marl_core.runs.provenance import cpu_name

    begun = load(run, trust=trust, checkpoint=checkpoint)
    scores = begun.evaluate(episodes)
    if checkpoint is not None or not begun.finished:
        trained = f"{begun.trained_episodes} of {begun.config.episodes} episodes"
        why = "" if begun.finished else "this run is not finished: "
        say(f"{run}: {why}its checkpoint is of {trained}", err=True)
    if as_json:
        typer.echo(json.dumps(scores.evaluation.as_json()))
    else:
        print_scores(scores, f"seed {begun.config.seed}, evaluated on {cpu_name()}")
