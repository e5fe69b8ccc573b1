"""The shape of the source: lengths of files and functions, density of lines, and docstrings.

Run as a script, this file prints the figures: ``python tests/test_shape.py``.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median

SOURCE = Path(__file__).parents[1] / "src"
#: The greatest number of columns, in code and prose.
COLUMNS = 100
#: The greatest number of syntax nodes on a line of code, over the whole source.
DENSITY = 9.0
#: Every file and function is shorter than this.
LONGEST_FILE = 320
LONGEST_FUNCTION = 60

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class SourceFile:
    """A file with its lines and its syntax tree."""

    path: Path
    lines: list[str]
    tree: ast.Module

    @classmethod
    def read(cls, path: Path) -> SourceFile:
        text = path.read_text()
        return cls(path, text.splitlines(), ast.parse(text))

    def functions(self) -> Iterator[Function]:
        for node in ast.walk(self.tree):
            if isinstance(node, Function):
                yield node

    def lines_of_code(self) -> int:
        """Lines that are not blank, no comment, no docstring and no import."""
        left_out = set[int]()
        for node in ast.walk(self.tree):
            docstring = _docstring(node)
            if docstring is not None:
                left_out |= _range(docstring)
            if isinstance(node, ast.Import | ast.ImportFrom):
                left_out |= _range(node)
        return sum(
            number not in left_out and _is_code(line)
            for number, line in enumerate(self.lines, 1)
        )

    def nodes(self) -> int:
        return sum(1 for _ in ast.walk(self.tree))


def _is_code(line: str) -> bool:
    stripped = line.strip()
    return bool(stripped) and not stripped.startswith("#")


def _range(node: ast.stmt) -> set[int]:
    assert node.end_lineno is not None
    return set(range(node.lineno, node.end_lineno + 1))


def _docstring(node: ast.AST) -> ast.stmt | None:
    """The statement that is a module's, class's or function's docstring."""
    if not isinstance(node, Function | ast.ClassDef | ast.Module) or not node.body:
        return None
    first = node.body[0]
    is_text = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
    return first if is_text and isinstance(first.value.value, str) else None  # type: ignore[attr-defined]


def _length(function: Function) -> int:
    """Lines of a function without its docstring."""
    docstring = _docstring(function)
    lines = len(_range(function))
    return lines if docstring is None else lines - len(_range(docstring))


def _public(tree: ast.AST, owner: str = "") -> Iterator[tuple[str, str, Function]]:
    """Public functions and methods of public classes: name, docstring of the class, definition."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            yield from _public(node, ast.get_docstring(node) or "")
        elif isinstance(node, Function) and not node.name.startswith("_"):
            yield node.name, owner, node


def _parameters(function: Function) -> list[str]:
    given = function.args
    every = [*given.posonlyargs, *given.args, *given.kwonlyargs]
    every += [one for one in (given.vararg, given.kwarg) if one is not None]
    names = [one.arg for one in every]
    return [name for name in names if name not in ("self", "cls")]


def _undocumented(file: SourceFile) -> Iterator[str]:
    for name, _, function in _public(file.tree):
        docstring = ast.get_docstring(function) or ""
        for parameter in _parameters(function):
            if not re.search(rf"^\s+\**{parameter}: \S", docstring, re.MULTILINE):
                place = file.path.relative_to(SOURCE)
                yield f"{place}:{function.lineno} {name}({parameter})"


FILES = [SourceFile.read(path) for path in sorted(SOURCE.rglob("*.py"))]


def test_no_line_is_too_long() -> None:
    long = [
        f"{file.path.name}:{number}"
        for file in FILES
        for number, line in enumerate(file.lines, 1)
        if len(line) > COLUMNS
    ]
    assert long == []


def test_lines_are_airy() -> None:
    assert density() <= DENSITY


def density() -> float:
    """Syntax nodes of all files by their lines of code."""
    return sum(file.nodes() for file in FILES) / sum(
        file.lines_of_code() for file in FILES
    )


def test_files_and_functions_are_short() -> None:
    files = [str(f.path) for f in FILES if len(f.lines) > LONGEST_FILE]
    functions = [
        f"{file.path.name}:{function.name}"
        for file in FILES
        for function in file.functions()
        if _length(function) > LONGEST_FUNCTION
    ]
    assert files == []
    assert functions == []


def test_every_parameter_of_a_public_function_is_documented() -> None:
    missing = [one for file in FILES for one in _undocumented(file)]
    assert missing == []


def main() -> None:
    """Print the figures."""
    lengths = sorted(len(file.lines) for file in FILES)
    functions = sorted(_length(f) for file in FILES for f in file.functions())
    missing = [one for file in FILES for one in _undocumented(file)]
    for what, values in (("file", lengths), ("function", functions)):
        p90 = values[int(0.9 * len(values))]
        print(
            f"{what}: median {median(values):g}, p90 {p90}, longest {values[-1]} lines"
        )
    print(f"density: {density():.2f} syntax nodes a line of code")
    print(f"{len(FILES)} files, {len(functions)} functions")
    print(f"{len(missing)} parameters without a word", *missing, sep="\n  ")


if __name__ == "__main__":
    main()
