"""Names in figures."""

from __future__ import annotations

from marl_core.errors import printable


def figure_text(name: str) -> str:
    """A name as matplotlib shall show it, letter by letter.

    Between two dollar signs it would read mathematics, and may fail; it leaves out of legends what
    begins with an underscore; and some letters are in no font.

    Args:
        name: any text, of a line or more.
    """
    lines = [printable(line).replace("$", r"\$") for line in name.split("\n")]
    text = "\n".join(lines)
    return f" {text}" if text.startswith("_") else text
