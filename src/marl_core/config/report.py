"""Validation errors as sentences: which part of a config, what was found, what was meant."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from marl_core.errors import Location, nearest, suggestion

#: Mistakes that are told at once.
_MOST_MISTAKES = 20


@dataclass(frozen=True)
class Mistake:
    """What is wrong with a part of a config.

    Attributes:
        location: where to look for it.
        part: what the message names: of a missing key, the part that should hold it.
        message: what is wrong.
    """

    location: Location
    part: Location
    message: str


def mistakes(
    error: ValidationError, model: type[BaseModel], data: Any
) -> list[Mistake]:
    """Each thing that is wrong with some data, up to a number that can be read.

    Args:
        error: with which the model refused them.
        model: which refused them.
        data: plain values.
    """
    found = _mistakes(
        error.errors(include_url=False),
        model,
        data,
        (),
    )
    return list(islice(found, _MOST_MISTAKES))


def _mistakes(
    errors: Sequence[Any],
    model: type[BaseModel],
    data: Any,
    prefix: Location,
) -> Iterator[Mistake]:
    for error in errors:
        if _follows_from_another(error, errors, model):
            continue
        inner, context = (tuple(error["loc"]), error.get("ctx", {}))
        keys = _keys_of(inner, data, missing=error["type"] == "missing")
        location = prefix + keys
        if "nested" in context:
            nested_model = context.get("model") or _model_at(model, inner)
            yield from _mistakes(
                context["nested"], nested_model, _at(data, keys), location
            )
        elif error["type"] == "missing":
            yield Mistake(location, location[:-1], f"'{location[-1]}' is missing")
        elif error["type"] == "union_tag_invalid":
            tagged = (*location, context["discriminator"].strip("'"))
            yield Mistake(tagged, tagged, _message(error, model))
        else:
            yield Mistake(location, location, _message(error, model))


def _follows_from_another(
    error: Mapping[str, Any],
    errors: Sequence[Any],
    model: type[BaseModel],
) -> bool:
    """Whether an error goes away with another one."""
    place = tuple(error["loc"])
    if error["type"] == "too_short":  # pydantic counts an item it refused as absent
        return any(
            len(other["loc"]) > len(place) and other["loc"][: len(place)] == place
            for other in errors
        )
    if error["type"] == "missing":  # it is there, misspelt
        misspelt = [
            other["loc"] for other in errors if other["type"] == "extra_forbidden"
        ]
        known = list(_model_at(model, place[:-1]).model_fields)
        return any(
            one[:-1] == place[:-1] and nearest(str(one[-1]), known) == place[-1]
            for one in misspelt
        )
    return False


def _keys_of(
    location: Location,
    data: Any,
    *,
    missing: bool,
) -> Location:
    """The location without what pydantic adds to it: the chosen member of a union is no key."""
    keys: list[str | int] = []
    for index, key in enumerate(location):
        if _holds(data, key):
            data = data[key]
            keys.append(key)
        elif missing and index == len(location) - 1:
            keys.append(key)
    return tuple(keys)


def _holds(data: Any, key: str | int) -> bool:
    if isinstance(data, dict):
        return key in data
    return isinstance(data, list) and isinstance(key, int) and key < len(data)


def _at(data: Any, location: Location) -> Any:
    for key in location:
        data = data[key] if _holds(data, key) else None
    return data


def _message(
    error: Mapping[str, Any],
    model: type[BaseModel],
) -> str:
    found, context = error["input"], error.get("ctx", {})
    match error["type"]:
        case "extra_forbidden":
            key = str(error["loc"][-1])
            known = list(_model_at(model, error["loc"][:-1]).model_fields)
            meant = suggestion(_RENAMED.get(key, key), known)
            return f"unknown key '{key}'" + (meant or f" (known: {', '.join(known)})")
        case "part" | "mistake":
            return str(error["msg"])
        case "value_error" | "assertion_error":
            return str(error["msg"]).partition(", ")[2]
        case "literal_error":
            choices = str(context["expected"])
            near = suggestion(
                str(found), choices.replace("'", "").replace(" or ", ", ").split(", ")
            )
            return f"must be {choices}, found {_shown(found)}{near}"
        case "union_tag_invalid":
            return (
                f"must be one of {context['expected_tags']}, found '{context['tag']}'"
            )
        case "union_tag_not_found":
            return f"{context['discriminator']} is missing"
        case "too_short":
            return f"at least {context['min_length']} needed, found {context['actual_length']}"
        case "int_type" if isinstance(found, float) and found.is_integer():
            return f"a whole number is expected, found {found!r}, did you mean {int(found)}?"
        case kind if kind in _EXPECTED:
            return f"{_EXPECTED[kind]} is expected, found {_shown(found)}"
    message = str(error["msg"])
    if message.startswith("Input should be "):
        message = "must be " + message.removeprefix("Input should be ")
    return f"{message}, found {_shown(found)}"


_EXPECTED = {
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "string_type": "a string",
    "list_type": "a list",
    "tuple_type": "a list",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
}
#: Settings that had another name in version 0.1: the old name, and the new one.
_RENAMED = {
    "passes": "epochs",
    "least_inside": "min_inside_clip",
    "chunk": "microbatch",
}


def _shown(value: Any) -> str:
    """A value in YAML's words, short."""
    match value:
        case None:
            return "nothing"
        case bool():
            return str(value).lower()
        case dict():
            return "a mapping"
        case list() | tuple():
            return "a list"
    shown = repr(value)
    return shown if len(shown) <= 60 else f"{shown[:50]}...{shown[-7:]}"


def _model_at(
    model: type[BaseModel],
    location: Location,
) -> type[BaseModel]:
    """The model that describes a location inside of ``model``."""
    candidates = [model]
    for key in (part for part in location if isinstance(part, str)):
        fields = [
            one.model_fields[key] for one in candidates if key in one.model_fields
        ]
        inner = [found for field in fields for found in _models_in(field.annotation)]
        candidates = (
            inner or [one for one in candidates if key in _tags(one)] or candidates
        )
    return candidates[0]


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from _models_in(part)


def _tags(model: type[BaseModel]) -> set[Any]:
    """The values that tell a member of a union from the others.

    Pydantic puts the chosen one into locations.
    """
    return {
        value
        for field in model.model_fields.values()
        for value in get_args(field.annotation)
    }
