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
    "multipleOf": "a multiple of",
}


def settings_page(schema: Schema) -> str:
    """The whole page.

    Args:
        schema: the JSON schema of a run's config.

    Returns:
        Markdown.
    """
    definitions: Mapping[str, Schema] = schema["$defs"]
    sections = [INTRODUCTION, _table("## A run", "a-run", schema)]
    for name in _in_reading_order(definitions):
        definition = definitions[name]
        if _is_choice(definition):
            sections.append(_choice(name, definition))
        elif "properties" in definition:  # others stand for any value
            heading = f"{_level(name)} {_title(name)}"
            sections.append(_table(heading, _anchor(name), definition))
    return "\n".join(sections)


def _in_reading_order(definitions: Mapping[str, Schema]) -> list[str]:
    """Models of the run first; then each kind of part, and each part before what belongs to it."""
    kinds = [name for name, one in definitions.items() if _is_choice(one)]

    def place(name: str) -> tuple[int, str, int]:
        kind = name.partition("_")[0]
        if kind not in kinds:
            return -1, "", list(definitions).index(name)
        owner = name.removesuffix(_model(name))
        return kinds.index(kind), owner.rstrip("_"), len(name)

    return sorted(definitions, key=place)


def _is_choice(definition: Schema) -> bool:
    """Whether a definition is a place where one of several parts may stand."""
    return "oneOf" in definition and "properties" not in definition


def _table(heading: str, anchor: str, schema: Schema) -> str:
    """A heading, a sentence, and a table of the settings of one model."""
    required = schema.get("required", [])
    rows = [
        _row(key, one, key in required)
        for key, one in schema["properties"].items()
        if key != "name"
    ]
    parts = [f"{heading} {{ #{anchor} }}", _prose(schema.get("description", ""))]
    if rows:
        header = "| setting | value | default | |\n|---|---|---|---|"
        parts.append("\n".join([header, *rows]))
    return "\n\n".join(parts) + "\n"


def _choice(name: str, schema: Schema) -> str:
    """A heading and the list of what may stand in one place."""
    members = "\n".join(f"- {_value(member)}" for member in schema["oneOf"])
    return f"## Any {name} {{ #{_anchor(name)} }}\n\n{members}\n"


def _row(key: str, schema: Schema, required: bool) -> str:
    default = schema.get("default")
    shown = "" if required else _code(json.dumps(default))
    if isinstance(default, Mapping):
        shown = "its own defaults"
    cells = [_code(key), _value(schema), shown, _prose(schema.get("description", ""))]
    return f"| {' | '.join(cell.replace('|', '&#124;') for cell in cells)} |"


def _value(schema: Schema) -> str:
    """What a value may be, in words."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"[{_title(name)}](#{_anchor(name)})"
    if "const" in schema:
        return _code(json.dumps(schema["const"]))
    if "enum" in schema:
        return " or ".join(_code(json.dumps(one)) for one in schema["enum"])
    alternatives = schema.get("anyOf") or schema.get("oneOf")
    if alternatives:
        return " or ".join(dict.fromkeys(_value(one) for one in alternatives))
    if schema.get("type") == "array":
        return _list(schema)
    return ", ".join([_type(schema), *_bounds(schema)])


def _list(schema: Schema) -> str:
    length = f" of at least {schema['minItems']}" if "minItems" in schema else ""
    entries = _value(schema["items"]) if "items" in schema else "anything"
    return f"list{length}, each {entries}"


def _type(schema: Schema) -> str:
    kind = str(schema.get("type", "anything"))
    if kind == "object" and "name" in schema.get("properties", {}):
        return f"a class of your own, {_code('name: package.module:Class')}"
    return {"object": "mapping"}.get(kind, kind)


def _bounds(schema: Schema) -> Iterator[str]:
    for bound, words in BOUNDS.items():
        if bound in schema:
            yield f"{words} {schema[bound]}"


def _level(name: str) -> str:
    return "##" if _is_of_the_run(name) else "###"


def _is_of_the_run(name: str) -> bool:
    return _model(name) == name


def _model(name: str) -> str:
    """The class's name at the end of a definition's: ``BanditLevel`` of ``environment_fme_...``."""
    last = name.rpartition("_")[2]
    return last if last[:1].isupper() else ""


def _title(name: str) -> str:
    """``host: ppo_ma`` for a part, ``Bandit level`` for a model."""
    model = _model(name)
    if model:
        words = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", model.removesuffix("Config"))
        return words.capitalize()
    kind, _, own = name.partition("_")
    return f"{kind}: {own}" if own else kind


def _anchor(name: str) -> str:
    return name.lower().replace("_", "-")


def _prose(text: str) -> str:
    """A docstring's double backquotes are Markdown's single ones."""
    return " ".join(text.replace("``", "`").split())


def _code(text: str) -> str:
    return f"`{text}`"
