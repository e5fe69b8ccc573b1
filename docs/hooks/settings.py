"""The settings reference in Markdown, from the JSON schema that ``marl config schema`` prints."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

Schema = Mapping[str, Any]

INTRODUCTION = """\
# Settings

Made from the schema that `marl config schema` prints, over everything that is installed. The same
schema gives completion and checks in an editor ([how](../tutorials/own_config.md)). A setting
without a default has to be given. An unknown key, a wrong type or a value out of its bounds is
refused with file and line.
"""

#: How the bounds of JSON schema are written, with the number after them.
BOUNDS = {
    "minimum": "at least",
    "exclusiveMinimum": "more than",
    "maximum": "at most",
    "exclusiveMaximum": "less than",
    "minItems": "entries, at least",
    "multipleOf": "a multiple of",
}


def settings_page(schema: Schema) -> str:
    """The whole page.

    Args:
        schema: the JSON schema of a run's config.

    Returns:
        Markdown.
    """
    sections = [INTRODUCTION, _section("A run", schema)]
    definitions: Mapping[str, Schema] = schema["$defs"]
    for name, definition in definitions.items():
        if "properties" in definition:
            sections.append(_section(name, definition))
        else:
            sections.append(_choice(name, definition))
    return "\n".join(sections)


def _section(name: str, schema: Schema) -> str:
    """A heading, a sentence, and a table of the settings of one model."""
    required = schema.get("required", [])
    rows = [
        _row(key, one, key in required) for key, one in schema["properties"].items()
    ]
    header = "| setting | value | default | |\n|---|---|---|---|"
    anchor = _anchor(name)
    heading = f"## {_title(name, schema)} {{ #{anchor} }}"
    described = _prose(schema.get("description", ""))
    return "\n".join([heading, "", described, "", header, *rows, ""])


def _choice(name: str, schema: Schema) -> str:
    """A heading and the list of what may stand in one place."""
    members = [f"- {_value(member)}" for member in schema.get("oneOf", [])]
    return "\n".join([f"## Any {name} {{ #{_anchor(name)} }}", "", *members, ""])


def _row(key: str, schema: Schema, required: bool) -> str:
    default = "" if required else _code(json.dumps(schema.get("default")))
    if isinstance(schema.get("default"), Mapping):
        default = "as there"
    described = _prose(schema.get("description", ""))
    cells = [_code(key), _value(schema), default, described]
    return f"| {' | '.join(cell.replace('|', '&#124;') for cell in cells)} |"


def _value(schema: Schema) -> str:
    """What a value may be, in words."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"[{_label(name)}](#{_anchor(name)})"
    if "const" in schema:
        return _code(json.dumps(schema["const"]))
    if "enum" in schema:
        return ", ".join(_code(json.dumps(one)) for one in schema["enum"])
    alternatives = schema.get("anyOf") or schema.get("oneOf")
    if alternatives:
        return " or ".join(dict.fromkeys(_value(one) for one in alternatives))
    return " ".join([_type(schema), *_bounds(schema)])


def _type(schema: Schema) -> str:
    kind = str(schema.get("type", "anything"))
    if kind == "array" and "items" in schema:
        return f"list of ({_value(schema['items'])})"
    if kind == "object" and "name" in schema.get("properties", {}):
        return f"a class, by {_code('name: package.module:Class')}"
    return {"null": "null", "object": "mapping"}.get(kind, kind)


def _bounds(schema: Schema) -> Iterator[str]:
    for bound, words in BOUNDS.items():
        if bound in schema:
            yield f"{words} {schema[bound]}"


def _title(name: str, schema: Schema) -> str:
    """``environment: fme`` for a named part, else the model's own name."""
    constant = schema["properties"].get("name", {}).get("const")
    if constant is None:
        return _label(name)
    return f"`{name.removesuffix('_' + constant)}: {{name: {constant}}}`"


def _label(name: str) -> str:
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).replace("_", " ")
    return words.removesuffix(" Config")


def _anchor(name: str) -> str:
    return name.lower().replace(" ", "-").replace("_", "-")


def _prose(text: str) -> str:
    """A docstring's double backquotes are Markdown's single ones."""
    return " ".join(text.replace("``", "`").split())


def _code(text: str) -> str:
    return f"`{text}`"
