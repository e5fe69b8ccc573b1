"""The JSON schema of run configs, over everything that is registered."""

from __future__ import annotations

from typing import Any

from marl_core.base_config import KINDS, Kind
from marl_core.config.named import PART, config_class
from marl_core.config.run import RunConfig
from marl_core.registry import EXPLORATIONS, find, names

#: Draft of JSON schema in which the schema is written.
_DRAFT = "https://json-schema.org/draft/2020-12/schema"


def run_schema() -> dict[str, Any]:
    """The JSON schema of run configs.

    Parts that are named as ``package.module:Class`` are not checked by it.
    """
    schema = RunConfig.model_json_schema()
    definitions = schema.setdefault("$defs", {})
    for kind in KINDS:
        kinds = EXPLORATIONS if kind == "exploration" else (kind,)
        definitions[kind] = _any_part(kinds, definitions)
    return {"$schema": _DRAFT, **_with_references(schema)}


def part_schema(kind: Kind, name: str) -> dict[str, Any]:
    """The JSON schema of one part's config.

    Args:
        kind: of the part.
        name: a registered name.
    """
    return config_class(kind, find(kind, name)).model_json_schema()


def _with_references(schema: Any) -> Any:
    """The schema with a reference at each place where a part may stand."""
    if isinstance(schema, list):
        return [_with_references(inner) for inner in schema]
    if not isinstance(schema, dict):
        return schema
    inner = {key: value for key, value in schema.items() if key != PART}
    found = {key: _with_references(value) for key, value in inner.items()}
    kind = schema.get(PART)
    if kind in KINDS:
        found["$ref"] = f"#/$defs/{kind}"
    return found


def _any_part(kinds: tuple[Kind, ...], definitions: dict[str, Any]) -> dict[str, Any]:
    """Any part of some kinds.

    The config of each is added to ``definitions`` under names that cannot clash.
    """
    members: list[dict[str, Any]] = []
    for kind in kinds:
        for name in names(kind):
            own = f"{kind}_{name}"
            definitions[own] = _definition(kind, name, own, definitions)
            members.append({"$ref": f"#/$defs/{own}"})
    dotted_name = {
        "type": "string",
        "pattern": ":",
        "description": "package.module:Class, checked when it is run.",
    }
    dotted = {"properties": {"name": dotted_name}, "required": ["name"]}
    members.append({"type": "object", **dotted})
    return {"oneOf": members}


def _definition(
    kind: Kind, name: str, own: str, definitions: dict[str, Any]
) -> dict[str, Any]:
    model = config_class(kind, find(kind, name))
    schema = model.model_json_schema(ref_template=f"#/$defs/{own}_{{model}}")
    for inner, definition in schema.pop("$defs", {}).items():
        definitions[f"{own}_{inner}"] = _with_references(definition)
    described = schema.get("description", "")
    schema["properties"]["name"] = {"const": name, "description": described}
    required = [key for key in schema.get("required", []) if key != "name"]
    schema["required"] = ["name", *required]
    return schema
