"""Lines for the terminal."""

from __future__ import annotations

import typer

from marl_core.errors import printable


def say(line: str, *, err: bool = False) -> None:
    """Print a line. Names in it may be anybody's: the terminal shows them and does not obey.

    Args:
        line: any text.
        err: whether it goes to standard error.
    """
    typer.echo(printable(line), err=err)
