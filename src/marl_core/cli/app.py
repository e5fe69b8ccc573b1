"""The ``marl`` application: its commands, and those that installed packages contribute."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import EntryPoint
from typing import Annotated, Any

import typer

from marl_core.cli.checking import check
from marl_core.cli.configs import config_app
from marl_core.cli.exporting import export
from marl_core.cli.listing import list_components
from marl_core.cli.pictures import render, report
from marl_core.cli.running import evaluate, resume, train
from marl_core.errors import UserError

#: ``-h`` besides ``--help``, at every level.
_SETTINGS = {"help_option_names": ["-h", "--help"]}


def build_app() -> typer.Typer:
    """The application, with the commands that installed packages contribute."""
    from marl_core.registry import commands

    app = typer.Typer(
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        context_settings=_SETTINGS,
        help="Multi-agent RL for large teams.",
    )
    app.callback()(_options)
    own: dict[str, Callable[..., Any]] = {
        "train": train,
        "resume": resume,
        "evaluate": evaluate,
        "render": render,
        "export": export,
        "report": report,
        "check": check,
        "list": list_components,
    }
    for name, command in own.items():
        app.command(name=name)(command)
    app.add_typer(config_app(), name="config")
    for name, entry in sorted(commands().items()):
        if name not in {*own, "config"}:
            app.command(name=name)(_contributed(name, entry))
    return app


def _print_version(wanted: bool | None) -> None:
    if wanted:
        import marl_core

        typer.echo(f"marl {marl_core.__version__}")
        raise typer.Exit


def _options(
    version: Annotated[
        bool | None,
        typer.Option(
            "--version",
            callback=_print_version,
            is_eager=True,
            help="Print the version and exit.",
        ),
    ] = None,
) -> None:
    """Multi-agent RL for large teams."""


def _contributed(
    name: str,
    entry: EntryPoint,
) -> Callable[..., Any]:
    """A package's command. One that cannot be imported says so when it is called."""
    from marl_core.registry import imported

    try:
        described = f"the command '{name}' ({entry.value})"
        command: Callable[..., Any] = imported(described, entry.load)
    except LookupError as error:
        reason = str(error.args[0])

        def broken() -> None:
            raise UserError(reason)

        broken.__doc__ = f"Not available: {reason}"
        return broken
    return command
