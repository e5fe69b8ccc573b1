"""Arguments and options that several commands have."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from marl_core.errors import UserError

ConfigArgument = Annotated[
    Path | None, typer.Argument(metavar="CONFIG", help="The run's YAML file.")
]
ConfigOption = Annotated[
    Path | None,
    typer.Option(
        "--config",
        "-c",
        help="The same, as an option.",
    ),
]
SetOption = Annotated[
    list[str] | None,
    typer.Option("--set", help="dotted.key=value, over what the file says."),
]
TrustOption = Annotated[
    bool,
    typer.Option(
        "--trust",
        envvar="MARL_TRUST",
        help="Run the code that the run folder names, as module:Class.",
    ),
]
CheckpointOption = Annotated[
    str | None,
    typer.Option(
        "--checkpoint",
        help="A kept checkpoint (training.keep), as best, or start: before any training; by "
        "default the newest.",
    ),
]
RunArgument = Annotated[Path, typer.Argument(metavar="RUN", help="A run folder.")]


def chosen_config(
    argument: Path | None,
    option: Path | None,
) -> Path:
    """The config file, given as an argument or as an option.

    Args:
        argument: the one given by its place.
        option: the one given by ``--config``.

    Raises:
        BadParameter: there is none, and a usage message says so.
        UserError: there are two.
    """
    if argument is not None and option is not None:
        raise UserError(f"two configs are given: {argument} and --config {option}")
    config = argument or option
    if config is None:
        message = "Missing the run's YAML file, as in: marl train run.yaml"
        raise typer.BadParameter(message)
    return config
