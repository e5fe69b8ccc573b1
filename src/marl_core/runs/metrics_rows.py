"""Reading ``metrics.csv``. Whatever cannot be what a run wrote is refused, with its line."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

from marl_core.errors import UserError
from marl_core.runs.logged import Logged, RowCounter
from marl_core.runs.regular_files import check_regular
from marl_core.runs.whole_writes import naming

#: The first column.
_KEY = "update"
#: NUL, and whatever is no UTF-8.
_NO_TEXT = re.compile("[\0\udc80-\udcff]")


def read_metrics(path: Path) -> list[dict[str, str]]:
    """The lines of a ``metrics.csv``, without empty fields.

    A last line that a crash has cut off is left out.

    Args:
        path: of the file.

    Raises:
        UserError: a line cannot be what a run wrote. It says which.
        FileNotFoundError: there is no such file.
    """
    return list(metrics_rows(path))


def metrics_rows(path: Path) -> Iterator[dict[str, str]]:
    """The lines of a ``metrics.csv`` one by one, as ``read_metrics`` gives them.

    Args:
        path: of the file.

    Raises:
        UserError: the line that is asked for cannot be what a run wrote.
        FileNotFoundError: there is no such file.
    """
    check_regular(path)
    lines = _lines(path)
    header = next(lines, None)
    if header is None:
        return
    _check_header(path, header[1])
    before = -1
    for number, line in lines:
        row = _row(path, number, header[1], line)
        update = _update(path, number, row)
        if update <= before:
            what = f"update {update} comes after update {before}"
            raise _mistake(path, number, f"{what}: a line is doubled or misplaced")
        before = update
        yield row


def difference(path: Path, logged: Logged) -> str | None:
    """How the lines on disk differ from those that a checkpoint knows of; later ones do not count.

    Args:
        path: of the ``metrics.csv``.
        logged: what the checkpoint says.

    Returns:
        A line for the user; None where they are the same.
    """
    counter = RowCounter()
    try:
        for row in islice(metrics_rows(path), logged.rows):
            counter.add(row)
    except FileNotFoundError:
        if logged.rows:
            return f"{path}: this file is gone"
    except UserError as error:
        return str(error)
    found = counter.logged
    if found.rows < logged.rows:
        return f"{path}: {found.rows} lines are left of {logged.rows}"
    if found != logged:
        return f"{path}: its first {logged.rows} lines are not those that were logged"
    return None


def _lines(path: Path) -> Iterator[tuple[int, list[str]]]:
    """The fields of each line, and its number."""
    with (
        naming(path),
        path.open(newline="", encoding="utf-8", errors="surrogateescape") as file,
    ):
        reader = csv.reader(_whole_lines(path, file))
        while True:
            try:
                line = next(reader, None)
            except csv.Error as error:
                raise _mistake(path, reader.line_num, str(error)) from error
            if line is None:
                return
            yield reader.line_num, line


def _whole_lines(path: Path, file: Iterable[str]) -> Iterator[str]:
    """The lines but for the last one, if it does not end as lines do: a crash has cut it off."""
    for number, line in enumerate(file, start=1):
        if _NO_TEXT.search(line):
            raise _mistake(path, number, "bytes that are no text")
        if line.endswith("\n"):
            yield line
        elif number == 1:  # the first line is only ever written together with others
            raise _mistake(path, number, "the names of the columns are cut off")


def _check_header(path: Path, header: list[str]) -> None:
    if header[:1] != [_KEY] or "" in header or len(set(header)) != len(header):
        raise _mistake(path, 1, "the names of the columns are missing or damaged")


def _row(path: Path, number: int, header: list[str], line: list[str]) -> dict[str, str]:
    if len(line) != len(header):
        found = f"{len(line)} values for {len(header)} columns"
        raise _mistake(path, number, found)
    pairs = zip(header, line, strict=True)
    return {name: value for name, value in pairs if value}


def _update(path: Path, number: int, row: dict[str, str]) -> int:
    try:
        return int(row.get(_KEY, ""))
    except ValueError as error:
        raise _mistake(path, number, "no number of an update") from error


def _mistake(path: Path, number: int, what: str) -> UserError:
    return UserError(f"{path}:{number}: this is no file of metrics: {what}")
