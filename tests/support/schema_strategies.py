"""Values by a JSON schema, as far as the schema of configs goes, and slips in such values."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator
from typing import Any

from hypothesis import strategies as st

Schema = dict[str, Any]
Place = tuple[str | int, ...]

#: Lists are no longer than this, whatever the schema allows.
_LONGEST = 3


def values_of(schema: Schema, root: Schema) -> st.SearchStrategy[Any]:
    """Values that a schema allows.

    Numbers are often at a bound; what may be left out often is.
    """
    if "$ref" in schema:
        return st.deferred(lambda: values_of(_resolved(schema, root), root))
    if "const" in schema:
        return st.just(schema["const"])
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    for key in ("anyOf", "oneOf"):
        if key in schema:
            members = [one for one in schema[key] if _is_closed(one)]
            return st.one_of([values_of(member, root) for member in members])
    return _by_type(schema, root)


def _resolved(schema: Schema, root: Schema) -> Schema:
    _, _, name = schema["$ref"].rpartition("/")
    found: Schema = root["$defs"][name]
    return found


def _is_closed(schema: Schema) -> bool:
    """Not so is the place of classes of one's own: it says nothing of their settings."""
    return schema.get("properties", {}).get("name", {}).get("pattern") != ":"


def _by_type(schema: Schema, root: Schema) -> st.SearchStrategy[Any]:
    match schema.get("type"):
        case "integer":
            least, most = bounds(schema, 1)
            return st.one_of(
                st.sampled_from([least, most]),
                st.integers(least, min(most, least + 100)),
                st.integers(least, most),
            )
        case "number":
            least, most = bounds(schema, 0)
            return st.floats(
                least,
                most,
                exclude_min="exclusiveMinimum" in schema,
                exclude_max="exclusiveMaximum" in schema,
            )
        case "boolean":
            return st.booleans()
        case "null":
            return st.none()
        case "string":
            letters = st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"])
            return st.text(letters, max_size=min(20, schema.get("maxLength", 20)))
        case "array":
            least = schema.get("minItems", 0)
            inner = values_of(schema["items"], root)
            return st.lists(inner, min_size=least, max_size=max(least, _LONGEST))
    return _mapping(schema, root)


def bounds(schema: Schema, step: int) -> tuple[Any, Any]:
    """The least and the greatest number; ``step`` is that from an excluded one to the next."""
    least = schema.get("minimum", schema.get("exclusiveMinimum", 0) + step)
    most = schema.get("maximum", schema.get("exclusiveMaximum", 0) - step)
    if step == 0:
        least = schema.get("minimum", schema.get("exclusiveMinimum"))
        most = schema.get("maximum", schema.get("exclusiveMaximum"))
    return least, most


def _mapping(schema: Schema, root: Schema) -> st.SearchStrategy[dict[str, Any]]:
    needed = schema.get("required", [])
    properties = {
        name: values_of(one, root) for name, one in schema.get("properties", {}).items()
    }
    required = {name: one for name, one in properties.items() if name in needed}
    optional = {name: one for name, one in properties.items() if name not in needed}
    return st.fixed_dictionaries(required, optional=optional)


def places_of(data: Any, place: Place = ()) -> Iterator[Place]:
    """Every place in plain values, but for the whole."""
    inner: Any = ()
    if isinstance(data, dict):
        inner = data.items()
    elif isinstance(data, list):
        inner = enumerate(data)
    for key, value in inner:
        yield (*place, key)
        yield from places_of(value, (*place, key))


#: What stands nowhere in a config, or hardly anywhere.
NONSENSE: list[Any] = [
    None,
    True,
    -1,
    2**63,
    10**30,
    10**400,
    -(10**30),
    1.5,
    math.nan,
    math.inf,
    -math.inf,
    1e308,
    "",
    "x" * 300,
    "\ud800",
    "\x1b[31m\x07",
    "a\x00b",
    "a\nb: c",
    "<script>",
    "os:system",
    "no.such:Module",
    [],
    [[]],
    [1] * 2000,
    {},
    {"name": "nobody"},
    {"name": None},
    {"": ""},
]


@st.composite
def slips(draw: st.DrawFn, data: dict[str, Any]) -> dict[str, Any]:
    """Values with one to three slips: something else, too much, missing, twice, misspelt."""
    changed = copy.deepcopy(data)
    for _ in range(draw(st.integers(1, 3))):
        place = draw(st.sampled_from(sorted(places_of(changed), key=repr)))
        holder: Any = changed
        for key in place[:-1]:
            holder = holder[key]
        _slip(draw, holder, place[-1])
        if not changed:
            break
    return changed


def _slip(draw: st.DrawFn, holder: Any, key: Any) -> None:
    match draw(st.sampled_from(["other", "other", "missing", "key", "inside"])):
        case "other":
            holder[key] = copy.deepcopy(draw(st.sampled_from(NONSENSE)))
        case "missing":
            del holder[key]
        case "key" if isinstance(holder, dict):
            holder[f"{key}{draw(st.sampled_from(['x', '.', ' ', ':']))}"] = 1
        case _:
            holder[key] = [copy.deepcopy(holder[key])]
