"""``marl config``: looking at run configs."""

from __future__ import annotations

import json

import typer

from marl_core.cli.arguments import (
    ConfigArgument,
    ConfigOption,
    SetOption,
    chosen_config,
)
from marl_core.cli.saying import say


def config_app() -> typer.Typer:
    """The commands of ``marl config``."""
    app = typer.Typer(no_args_is_help=True, help="Look at run configs.")
    app.command()(show)
    app.command()(schema)
    app.command()(check)
    return app


def show(
    config_file: ConfigArgument = None,
    config: ConfigOption = None,
    overrides: SetOption = None,
) -> None:
    """Print the whole config, defaults written out.

    \f
    Args:
        config_file: the YAML file, by its place.
        config: the YAML file, as an option.
        overrides: settings over what the file says.

    Raises:
        UserError: the config is not valid.
    """
    chosen = chosen_config(config_file, config)
    from marl_core.config.yaml_file import dump_run, load_run

    typer.echo(dump_run(load_run(chosen, overrides or [])), nl=False)


def schema() -> None:
    """Print the JSON schema of configs, over everything that is installed."""
    from marl_core.config.schema import run_schema

    typer.echo(json.dumps(run_schema(), indent=2))


def check(
    config_file: ConfigArgument = None,
    config: ConfigOption = None,
    overrides: SetOption = None,
) -> None:
    """Say whether a config can be run.

    \f
    Args:
        config_file: the YAML file, by its place.
        config: the YAML file, as an option.
        overrides: settings over what the file says.

    Raises:
        UserError: it cannot.
    """
    chosen = chosen_config(config_file, config)
    from marl_core.config.yaml_file import RunSource
    from marl_core.training.stages import check as check_run

    source = RunSource.of_file(chosen, overrides or [])
    run = source.config()
    with source.blamed():
        check_run(run)
    say(f"{chosen}: ok")
