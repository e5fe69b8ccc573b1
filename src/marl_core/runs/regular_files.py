"""Reading files of a run folder, which somebody may have replaced by something else."""

from __future__ import annotations

import stat
from pathlib import Path

from marl_core.errors import UserError
from marl_core.runs.whole_writes import naming

_KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


def check_regular(path: Path) -> None:
    """Refuse what is no file. To open a pipe would be to wait for ever.

    Args:
        path: of what should be a file.

    Raises:
        UserError: it is something else.
        FileNotFoundError: nothing is there.
    """
    kind = stat.S_IFMT(path.stat().st_mode)
    if kind != stat.S_IFREG:
        found = _KINDS.get(kind, "no file")
        raise UserError(f"{path}: this is {found}, where a file is needed")


def read_bytes(path: Path) -> bytes:
    """All of a file.

    Args:
        path: of the file.

    Raises:
        UserError: it is a folder, a pipe or the like.
        OSError: it cannot be read. It names the file.
    """
    check_regular(path)
    with naming(path):
        return path.read_bytes()
