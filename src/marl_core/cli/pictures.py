"""The commands that draw: an episode, or learning curves."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from marl_core.base_config import LARGEST_SEED, MOST_IN_ALL
from marl_core.cli.arguments import CheckpointOption, RunArgument, TrustOption
from marl_core.cli.saying import say


def render(
    run: RunArgument,
    out: Annotated[
        Path,
        typer.Option(help="The file to write: .html, .png, .svg, .pdf, .gif or .mp4."),
    ],
    mode: Annotated[
        Literal["greedy", "sampled", "training"],
        typer.Option(
            help="Everybody greedily; everybody by chance; or coupled as in training."
        ),
    ] = "greedy",
    seed: Annotated[
        int,
        typer.Option(min=0, max=LARGEST_SEED, help="Which episode."),
    ] = 0,
    step: Annotated[
        int | None,
        typer.Option(
            min=0,
            max=MOST_IN_ALL,
            help="Of one picture: which; by default a telling one.",
        ),
    ] = None,
    fps: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=100,
            help="Of a film: pictures a second (10).",
        ),
    ] = None,
    checkpoint: CheckpointOption = None,
    trust: TrustOption = False,
) -> None:
    """Watch an episode of a run's newest policy: as a page, a picture or a film.

    \f
    Args:
        run: the run folder.
        out: the file to write.
        mode: how the team acts.
        seed: which episode.
        step: of one picture: which.
        fps: of a film: pictures a second.
        checkpoint: which kept checkpoint; None: the newest.
        trust: whether the code that the run folder names may be run.

    Raises:
        UserError: there is nothing to show, or it cannot be written.
    """
    from marl_core.rendering.render import render_run
    from marl_core.runs.folder import RunFolder

    folder = RunFolder(run, trust=trust, checkpoint=checkpoint)
    episode = render_run(folder, out, mode, seed, step, fps)
    earned = float(episode.team_reward.sum())
    say(f"{out}: {episode.title}, {episode.steps} steps, return {earned:.3f}")


def report(
    runs: Annotated[
        list[Path],
        typer.Argument(
            metavar="RUNS...", help="Run folders, of one or more experiments."
        ),
    ],
    out: Annotated[
        Path, typer.Option(help="The figure to write; its ending says the format.")
    ] = Path("learning_curve.png"),
    metric: Annotated[
        str | None,
        typer.Option(help="What to compare by, if not the return, as sampled/C1."),
    ] = None,
    tidy: Annotated[
        Path | None, typer.Option(help="Write every value to this CSV file too.")
    ] = None,
    marl_eval: Annotated[
        Path | None, typer.Option(help="Write a JSON file for marl-eval too.")
    ] = None,
    trust: TrustOption = False,
) -> None:
    """Draw learning curves and tell what runs came to.

    Runs that differ in the seed alone are one experiment.

    \f
    Args:
        runs: the run folders.
        out: the figure to write.
        metric: what to compare by; None: the return.
        tidy: a CSV file for every value.
        marl_eval: a JSON file for marl-eval.
        trust: whether the code that the run folders name may be run. A report needs it for little:
            the kinds of levels, where a run is not finished.

    Raises:
        UserError: a run has no evaluation, or a file cannot be written.
    """
    from rich.console import Console

    from marl_core.reports.report import report_on

    tables, written = report_on(runs, out, metric, tidy, marl_eval, trust=trust)
    for table in tables:
        Console().print(table)
    for path in written:
        say(str(path))
