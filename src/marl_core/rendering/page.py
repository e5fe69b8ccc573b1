"""Pages that need no network: text, style, program and data in one file."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Mapping
from importlib.resources import files
from typing import Any

_MARK = re.compile(r"@@(TITLE|CONTENT|DATA)@@")


def html_page(title: str, content: str, data: Mapping[str, Any]) -> str:
    """A page with a player: play, pause, speed, scrubbing, keys, light and dark.

    ``page.html`` says what the content's program finds: ``data`` parsed, ``player``, ``fit`` for canvases, ``colour``
    for the page's colours. A policy in the page forbids whatever would need a network.

    Args:
        title: above the page and in the browser's tab.
        content: HTML with the ``<style>`` and the ``<script>`` that show the data.
        data: what JSON can say; NaN is refused, since JSON has none.
    """
    # "<" would end the element that holds the data, if a string said </script>.
    told = json.dumps(
        data, separators=(",", ":"), allow_nan=False, ensure_ascii=False
    ).replace("<", "\\u003c")
    parts = {"TITLE": html.escape(title), "CONTENT": content, "DATA": told}
    skeleton = (
        files("marl_core.rendering").joinpath("page.html").read_text(encoding="utf-8")
    )
    return _MARK.sub(lambda mark: parts[mark[1]], skeleton)
