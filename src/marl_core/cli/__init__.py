"""The ``marl`` command."""

from __future__ import annotations

import sys

import typer

from marl_core.errors import UserError

#: How torch begins to say that there is not the memory for a tensor, or could never be.
_TOO_LARGE = (
    "can't allocate memory",
    "out of memory",
    "integer multiplication overflow",
    "Storage size calculation",
)


def main() -> None:
    """Run ``marl``. A user's mistake is one line on standard error and exit status 2."""
    from marl_core.cli.app import build_app

    try:
        build_app()(prog_name="marl")
    except UserError as error:
        fail(str(error))
    except (MemoryError, RuntimeError) as error:
        if not _is_too_large(error):
            raise
        reason = (str(error) or "MemoryError").splitlines()[0]
        fail(f"not enough memory for a run of this size: {reason}")
    except OSError as error:
        if error.filename is None:
            raise
        fail(f"{error.filename}: {(error.strerror or str(error)).lower()}")


def _is_too_large(error: MemoryError | RuntimeError) -> bool:
    if isinstance(error, MemoryError):
        return True
    return any(sign in str(error) for sign in _TOO_LARGE)


def fail(message: str) -> None:
    """End with a mistake of the user's.

    Args:
        message: a line for each mistake.
    """
    typer.echo(message, err=True)
    sys.exit(2)
