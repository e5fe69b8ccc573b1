"""The ``marl`` command."""

from __future__ import annotations

import sys

import typer

from marl_core.errors import UserError


def main() -> None:
    """Run ``marl``. A user's mistake is one line on standard error and exit status 2."""
    from marl_core.cli.app import build_app

    try:
        build_app()()
    except UserError as error:
        typer.echo(f"marl: {error}" if "\n" not in str(error) else str(error), err=True)
        sys.exit(2)
    except KeyboardInterrupt:
        typer.echo("marl: interrupted; `marl resume RUN` continues from the newest checkpoint", err=True)
        sys.exit(130)
