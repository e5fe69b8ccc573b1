"""``marl examples``: the example configs, the classes that they name, and a whole plugin.

A clone of the repository has them in ``examples/``. The package holds the same files: there is one
copy of each, because ``marl_pr/examples`` is a link while nothing is built.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Annotated

import typer

from marl_core.errors import UserError

_ENDINGS = (".yaml", ".py", ".toml", ".md")
#: The folder of a package of one's own.
_PLUGIN = "plugin"
#: What Python, setuptools and runs leave behind is no example.
_LEFT_BEHIND = ("__pycache__", "build", "runs")
_END_OF_A_SENTENCE = re.compile(r"(?<!Fig)\.(?: |$)")


def examples(
    to: Annotated[
        Path | None,
        typer.Option("--to", help="Copy them all into this folder: `--to examples`."),
    ] = None,
) -> None:
    """List the examples that come with the package, or copy them to where you can change them.

    \f
    Args:
        to: the folder to copy them into; None: list them.

    Raises:
        UserError: a file in the folder would be replaced, or cannot be written. A file that has
            been changed is never replaced.
    """
    if to is None:
        _list()
        return
    copied = copy_examples(to)
    typer.echo(f"{to}: {len(copied)} files")
    typer.echo(f"for example: marl train --config {to / 'fme_pr.yaml'}")


def example_files() -> list[Traversable]:
    """The examples that are one file each, in alphabetical order.

    Raises:
        UserError: they have been left out of the installation.
    """
    found = [file for file in _folder().iterdir() if file.name.endswith(_ENDINGS)]
    return sorted(found, key=lambda file: file.name)


def _folder() -> Traversable:
    folder = files("marl_pr") / "examples"
    if not folder.is_dir():
        raise UserError("this installation holds no examples")
    return folder


def _all_files(folder: Traversable, place: Path) -> Iterator[tuple[Path, bytes]]:
    """Every file of a folder and of those in it: where it is to be, and what it holds."""
    for entry in folder.iterdir():
        if entry.is_dir():
            left_behind = entry.name in _LEFT_BEHIND or entry.name.startswith(".")
            if not left_behind and not entry.name.endswith(".egg-info"):
                yield from _all_files(entry, place / entry.name)
        elif entry.name.endswith(_ENDINGS):
            yield place / entry.name, entry.read_bytes()


def copy_examples(folder: Path) -> list[Path]:
    """Copy all examples into a folder.

    Args:
        folder: it is created. What is in it stays.

    Returns:
        Where the files are now.

    Raises:
        UserError: a file of the same name holds something else, and then nothing is copied; or a
            file cannot be written.
    """
    from marl_core.runs.whole_writes import create_output_folder, write_output

    contents = dict(sorted(_all_files(_folder(), folder)))
    for path, content in contents.items():
        _check_free(path, content)
    create_output_folder(folder, "folder of examples")
    for path, content in contents.items():
        if not path.exists():
            create_output_folder(path.parent, "folder of examples")
            write_output(path, content, "example")
    return list(contents)


def _check_free(
    path: Path,
    content: bytes,
) -> None:
    """Refuse to replace a file, but for one that is the same."""
    if not path.exists():
        return
    if not path.is_file() or path.read_bytes() != content:
        advice = "choose another folder, or move it away"
        raise UserError(f"{path}: there is another file of this name; {advice}")


def _list() -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(
        caption="`marl examples --to examples` copies them, to run and change"
    )
    table.add_column("example", no_wrap=True)
    table.add_column("what it is", overflow="fold")
    for file in example_files():
        table.add_row(file.name, _first_sentence(file.read_text(encoding="utf-8")))
    table.add_row(f"{_PLUGIN}/", "A package of one's own with a part of every kind")
    Console().print(table)


def _first_sentence(text: str) -> str:
    """The beginning of the comment or the docstring at the head of a file."""
    head = text.partition("\n\n")[0]
    lines = [line.strip("# ") for line in head.splitlines()]
    paragraph = " ".join(lines).strip('" ')
    return _END_OF_A_SENTENCE.split(paragraph)[0]
