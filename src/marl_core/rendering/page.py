"""Pages that need no network: text, style, program and data in one file."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Mapping
from importlib.resources import files

from marl_core.errors import printable

#: What stands in JSON as a number only.
_UNSAFE = re.compile("[<>&\u2028\u2029\ud800-\udfff]")
_MARK = re.compile(r"@@(TITLE|CONTENT|DATA)@@")


def html_page(
    title: str,
    content: str,
    data: Mapping[str, object],
) -> str:
    """Make a page with a player: play, pause, speed, scrubbing, keys, light and dark.

    ``page.html`` says what the program in the content finds: ``data`` parsed, ``player``, ``fit``
    for canvases, ``colour`` for the page's colours. A policy in the page forbids whatever would
    need a network.

    Args:
        title: above the page and in the browser's tab.
        content: HTML with the ``<style>`` and the ``<script>`` that show the data.
        data: anything that JSON can say.

    Returns:
        The whole page.

    Raises:
        ValueError: the data hold NaN or an infinity, which JSON does not have.
    """
    parts = {
        "TITLE": html.escape(printable(title)),
        "CONTENT": content,
        "DATA": _json_in_html(data),
    }
    folder = files("marl_core.rendering")
    skeleton = folder.joinpath("page.html").read_text(encoding="utf-8")
    return _MARK.sub(lambda mark: parts[mark[1]], skeleton)


def _json_in_html(data: Mapping[str, object]) -> str:
    text = json.dumps(
        data,
        separators=(",", ":"),
        allow_nan=False,
        ensure_ascii=False,
    )
    # A string with </script> in it would end the element that holds the data, and half of a letter
    # cannot be written at all.
    return _UNSAFE.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
