"""The ``marl`` command."""

from __future__ import annotations

import errno
import os
import re
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

from marl_core.cli.at_once import ending_at_once
from marl_core.errors import RankLostError, UserError, printable

if TYPE_CHECKING:
    from typer import Typer

#: How torch begins to say that there is not the memory for a tensor, or could never be.
_TOO_LARGE = (
    "can't allocate memory",
    "out of memory",
    "integer multiplication overflow",
    "Storage size calculation",
)

#: What a disk refuses, and not always with the name of the file.
_DISK_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EFBIG, errno.EROFS)


def main() -> None:
    """Run ``marl``. A user's mistake is one line on standard error and exit status 2."""
    with ending_at_once():
        from marl_core.training.parent import said_by_parent
        from marl_core.training.stray_variables import drop_stray_ranks

        said_by_parent()  # from here on the process ends with the one that started it
        drop_stray_ranks()
        build_app = _app_builder()
        from marl_core.cli.notes_as_lines import notes_as_lines
        from marl_core.cli.threads import thread_failures_heard

        app = build_app()
    try:
        _check_arguments(sys.argv[1:])
        with notes_as_lines(), thread_failures_heard():
            app(prog_name="marl")
    except UserError as error:
        fail(*error.lines)
    except RankLostError as error:
        print(printable(f"marl: {error}"), file=sys.stderr)
        sys.exit(1)
    except (MemoryError, RuntimeError) as error:
        if not _is_too_large(error):
            raise
        reason = (str(error) or "MemoryError").splitlines()[0]
        fail(f"not enough memory for a run of this size: {reason}")
    except OSError as error:
        if error.filename is None and error.errno not in _DISK_ERRORS:
            raise
        fail(_of_the_system(error))


def _app_builder() -> Callable[[], Typer]:
    """What builds the application. Where only policy resonance was installed, it cannot be."""
    try:
        from marl_core.cli.app import build_app
    except ModuleNotFoundError as error:
        name = error.name or str(error)
        if name.startswith("marl_"):
            raise
        advice = "`pip install policy-resonance`, without --no-deps, brings all of it"
        fail(f"marl: {name} is not installed; {advice}")
        raise
    return build_app


def _check_arguments(arguments: list[str]) -> None:
    """Refuse empty ones: ``--run-dir ""`` would be the folder that the user is in."""
    for argument in arguments:
        option = re.fullmatch(r"(--[\w-]+)=", argument)
        if argument == "" or option is not None:
            where = "" if option is None else f"{option[1]}: "
            message = "an argument is empty; perhaps a variable of the shell is not set"
            raise UserError(where + message)


def _of_the_system(error: OSError) -> str:
    """What the system refuses, and of which file, if that is known."""
    reason = (error.strerror or str(error) or type(error).__name__).lower()
    if error.filename is not None:
        name = error.filename
        shown = os.fsdecode(name) if isinstance(name, bytes) else name
        return f"{shown}: {reason}"
    return f"a file could not be written or read: {reason}"


def _is_too_large(error: MemoryError | RuntimeError) -> bool:
    if isinstance(error, MemoryError):
        return True
    return any(sign in str(error) for sign in _TOO_LARGE)


def fail(*lines: str) -> None:
    """End with a mistake of the user's.

    Args:
        lines: one for each mistake.
    """
    for line in lines:
        print(printable(line), file=sys.stderr)
    sys.exit(2)
