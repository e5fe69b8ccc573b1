"""The commands of ``marl``. Heavy imports happen inside of them, so that ``marl --help`` is quick."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from contextlib import nullcontext
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from rich.console import Console
from rich.table import Table

from marl_core.errors import UserError

if TYPE_CHECKING:
    from marl_core.base_config import Kind
    from marl_core.evaluation.scores import Evaluation
    from marl_core.evaluation.statistics import Interval
    from marl_core.runs.folder import RunFolder

ConfigOption = Annotated[
    Path, typer.Option("--config", "-c", help="The run's YAML file.")
]
SetOption = Annotated[
    list[str] | None,
    typer.Option("--set", help="dotted.key=value, over what the file says."),
]
RunArgument = Annotated[Path, typer.Argument(metavar="RUN", help="A run folder.")]


def build_app() -> typer.Typer:
    """The application, with the commands that installed packages contribute under names of their own."""
    from marl_core.registry import commands

    app = typer.Typer(
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        help="Multi-agent RL for large teams.",
    )
    app.command()(train)
    app.command()(resume)
    app.command(name="evaluate")(evaluate_run)
    app.command()(render)
    app.command()(report)
    app.command(name="list")(list_components)
    app.add_typer(_config_app(), name="config")
    taken = {
        command.name or command.callback.__name__
        for command in app.registered_commands
        if command.callback
    }
    for name, entry in sorted(commands().items()):
        if name not in {*taken, "config"}:
            app.command(name=name)(_contributed(name, entry))
    return app


def _contributed(name: str, entry: EntryPoint) -> Callable[..., Any]:
    """A package's command; one that cannot be imported says so when it is called, and breaks no other."""
    from marl_core.registry import imported

    try:
        command: Callable[..., Any] = imported(
            f"the command '{name}' ({entry.value})", entry.load
        )
    except LookupError as error:
        reason = str(error.args[0])

        def broken() -> None:
            raise UserError(reason)

        broken.__doc__ = f"Not available: {reason}"
        return broken
    return command


def train(
    config: ConfigOption,
    overrides: SetOption = None,
    run_dir: Annotated[
        Path | None,
        typer.Option(help="Where the run goes; by default runs/NAME-seedS."),
    ] = None,
) -> None:
    """Train by a config, from the start."""
    from marl_core.config.yaml_file import RunFile
    from marl_core.runs.folder import RunFolder
    from marl_core.training.ranks import rank
    from marl_core.training.stages import check

    file = RunFile(config, overrides or [])
    run = file.config()
    with file.blamed():
        check(run)
    folder = RunFolder(_run_path(config, run.seed, run_dir))
    if rank() == 0:
        folder.create(run, modules=[config.parent])
    _train(folder)


def resume(run: RunArgument) -> None:
    """Go on with a run that was interrupted, exactly as if it had not been."""
    from marl_core.runs.folder import RunFolder

    _train(RunFolder(run))


def _train(folder: RunFolder) -> None:
    from marl_core.runs.lock import run_lock
    from marl_core.training.ranks import rank
    from marl_core.training.stages import train

    run = folder.load_config()
    try:
        with (
            run_lock(folder.path) if rank() == 0 else nullcontext()
        ):  # it speaks for all
            result = train(run, folder)
    except KeyboardInterrupt:
        typer.echo(
            f"marl: interrupted; `marl resume {folder.path}` goes on from the newest checkpoint",
            err=True,
        )
        raise
    if result is not None:
        _print_evaluation(result)
        typer.echo(f"run folder: {folder.path}")


def _run_path(config: Path, seed: int, run_dir: Path | None) -> Path:
    """The run folder; other processes of the same run take what the first one chose."""
    chosen = os.environ.get("MARL_RUN_DIR")
    if chosen is not None and os.environ.get("LOCAL_RANK", "0") != "0":
        return Path(chosen)
    path = run_dir or Path("runs") / f"{config.stem}-seed{seed}"
    os.environ["MARL_RUN_DIR"] = str(path.resolve())
    return path


def evaluate_run(
    run: RunArgument,
    episodes: Annotated[
        int, typer.Option(min=2, help="Test episodes, greedy and sampled each.")
    ] = 192,
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON object on standard output.")
    ] = False,
) -> None:
    """Evaluate a run's newest policy: greedy and sampled, beside the exact value, without resonance."""
    from marl_core.evaluation.evaluate import evaluate
    from marl_core.runs.assembly import newest_state
    from marl_core.runs.folder import RunFolder

    result = evaluate(newest_state(RunFolder(run)), episodes)
    if as_json:
        typer.echo(json.dumps(result.as_json()))
    else:
        _print_evaluation(result)


def _print_evaluation(result: Evaluation) -> None:
    table = Table(
        title=f"{result.episodes} test episodes, without resonance (95 % intervals)"
    )
    for column in ("", "exact (greedy)", "greedy", "sampled"):
        table.add_column(column, justify="right")

    def interval(value: Interval) -> str:
        return f"{value.mean:.3f} [{value.low:.3f}, {value.high:.3f}]"

    for name, score in result.scores().items():
        exact = "-" if score.exact is None else f"{score.exact:.4f}"
        table.add_row(name, exact, interval(score.greedy), interval(score.sampled))
    Console().print(table)


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
    seed: Annotated[int, typer.Option(min=0, help="Which episode.")] = 0,
    step: Annotated[
        int | None,
        typer.Option(min=0, help="Of one picture: which; by default a telling one."),
    ] = None,
    fps: Annotated[
        int | None,
        typer.Option(min=1, max=100, help="Of a film: pictures a second (10)."),
    ] = None,
) -> None:
    """Watch an episode of a run's newest policy: as a page, a picture or a film."""
    from marl_core.rendering.render import render_run

    episode = render_run(run, out, mode, seed, step, fps)
    earned = float(episode.team_reward.sum())
    typer.echo(f"{out}: {episode.title}, {episode.steps} steps, return {earned:.3f}")


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
) -> None:
    """Draw learning curves and tell what runs came to: runs that differ in the seed alone are one experiment."""
    from marl_core.reports.report import report_on

    tables, written = report_on(runs, out, metric, tidy, marl_eval)
    for table in tables:
        Console().print(table)
    for path in written:
        typer.echo(str(path))


def list_components() -> None:
    """List what can be named in a config."""
    from marl_core.base_config import KINDS
    from marl_core.registry import commands, names

    table = Table()
    table.add_column("kind", no_wrap=True)
    table.add_column("name", no_wrap=True)
    table.add_column("what it is, and from where", overflow="fold")
    for kind in KINDS:
        for name in names(kind):
            table.add_row(kind, name, _described(kind, name))
    for name, entry in sorted(commands().items()):
        table.add_row("command", name, f"[dim]{entry.value}[/]")
    Console().print(table)


def _described(kind: Kind, name: str) -> str:
    from marl_core.registry import find

    try:
        found: Any = find(kind, name)
    except LookupError as error:
        return f"[red]{error.args[0]}[/]"
    return f"{(found.__doc__ or '').strip().splitlines()[0]} [dim]{found.__module__}[/]"


def _config_app() -> typer.Typer:
    app = typer.Typer(no_args_is_help=True, help="Look at run configs.")

    @app.command()
    def show(config: ConfigOption, overrides: SetOption = None) -> None:
        """Print the whole config, defaults written out."""
        from marl_core.config.yaml_file import dump_run, load_run

        typer.echo(dump_run(load_run(config, overrides or [])), nl=False)

    @app.command()
    def schema() -> None:
        """Print the JSON schema of configs, over everything that is installed."""
        from marl_core.config.schema import run_schema

        typer.echo(json.dumps(run_schema(), indent=2))

    @app.command()
    def check(config: ConfigOption, overrides: SetOption = None) -> None:
        """Say whether a config can be run."""
        from marl_core.config.yaml_file import RunFile
        from marl_core.training.stages import check as check_run

        file = RunFile(config, overrides or [])
        run = file.config()
        with file.blamed():
            check_run(run)
        typer.echo(f"{config}: ok")

    return app
