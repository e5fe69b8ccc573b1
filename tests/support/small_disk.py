"""A disk so small that it is soon full: a real file system, not a pretended one."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def small_disk(place: Path, kibibytes: int) -> Iterator[None]:
    """Inside of it, a folder is a disk of that size. A test is skipped where that is not allowed.

    Args:
        place: the folder; made where there is none.
        kibibytes: how much fits.
    """
    place.mkdir(exist_ok=True)
    _mount_or_skip("-t", "tmpfs", "-o", f"size={kibibytes}k", "tmpfs", str(place))
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


def enlarge(place: Path) -> None:
    """Have a disk be large enough."""
    subprocess.run(["mount", "-o", "remount,size=50m", str(place)], check=True)


def _mount_or_skip(*arguments: str) -> None:
    try:
        done = subprocess.run(
            ["mount", *arguments], capture_output=True, text=True, check=False
        )
    except OSError as error:
        pytest.skip(f"there is no mount here: {error}")
    if done.returncode != 0:
        pytest.skip(f"a file system may not be mounted here: {done.stderr.strip()}")
