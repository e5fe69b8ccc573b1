"""The fenced code blocks of Markdown pages."""

from __future__ import annotations

import re
import shlex
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.support.places import REPOSITORY

_FENCE = re.compile(
    r"(?:^ *<!-- no-run: (?P<reason>[^\n]+) -->\n)?"
    r"^(?P<indent> *)```(?P<language>[^\n]*)\n(?P<text>.*?)^(?P=indent)```$",
    re.MULTILINE | re.DOTALL,
)
_OPERATORS = re.compile(r"[;&|()<>]+")
#: Words of the shell that may stand before a command.
_BEFORE_COMMANDS = {"do", "then", "else", "time", "if", "!"}


@dataclass(frozen=True)
class Block:
    """A code block.

    Attributes:
        page: the Markdown file.
        line: where the block begins, counted from 1.
        language: what stands behind the fence's backquotes.
        text: the code, without the indentation of the fence.
        reason: why it cannot run, from ``<!-- no-run: REASON -->`` on the line before; None: it
            runs.
        before: the last line of prose before the block.
    """

    page: Path
    line: int
    language: str
    text: str
    reason: str | None
    before: str

    @property
    def place(self) -> str:
        """Where it is, for messages."""
        return f"{self.page.relative_to(REPOSITORY)}:{self.line}"


def pages() -> list[Path]:
    """The Markdown files whose code blocks are tested."""
    top = [REPOSITORY / name for name in ("README.md", "CONTRIBUTING.md")]
    return [*top, *sorted((REPOSITORY / "docs").rglob("*.md"))]


def blocks_of(page: Path) -> list[Block]:
    """The code blocks of a page, in order."""
    content = page.read_text(encoding="utf-8")
    return [_block(page, content, fence) for fence in _FENCE.finditer(content)]


def _block(page: Path, content: str, fence: re.Match[str]) -> Block:
    before = content[: fence.start()].rstrip().rpartition("\n")[2]
    return Block(
        page=page,
        line=content.count("\n", 0, fence.start("text")),
        language=fence["language"].strip(),
        text=textwrap.dedent(fence["text"]),
        reason=fence["reason"],
        before=before,
    )


def commands_of(block: Block) -> Iterator[list[str]]:
    """The simple commands of a shell block as lists of words.

    Comments, prompts, redirections and assignments in front are left out; a variable's value is 4.
    """
    text = re.sub(r"\$\{?\w+\}?", "4", block.text.replace("\\\n", " "))
    for line in text.splitlines():
        lexer = shlex.shlex(line.removeprefix("$ "), posix=True, punctuation_chars=True)
        lexer.whitespace_split = True
        yield from _simple_commands(list(lexer))


def _simple_commands(words: list[str]) -> Iterator[list[str]]:
    command: list[str] = []
    redirected = False
    for word in [*words, ";"]:
        if redirected:
            redirected = False
        elif not _OPERATORS.fullmatch(word):
            command.append(word)
        elif set(word) & set("<>"):
            redirected = True
        else:
            command = _without_preamble(command)
            if command:
                yield command
            command = []


def _without_preamble(command: list[str]) -> list[str]:
    """The command without the shell's words and assignments in front of it."""
    for index, word in enumerate(command):
        if word not in _BEFORE_COMMANDS and not re.match(r"\w+=", word):
            return command[index:]
    return []
