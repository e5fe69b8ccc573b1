"""Validation errors as single lines for people: where, what was found, what was meant."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from marl_core.errors import suggestion

Location = tuple[str | int, ...]


def explain(error: ValidationError, model: type[BaseModel], where: Callable[[Location], str]) -> list[str]:
    """One line for each error; ``where`` names the place of a location."""
    return [
        f"{where(location)}: {'.'.join(map(str, location)) + ': ' if location else ''}{message}"
        for location, message in _messages(error.errors(include_url=False), model, ())
    ]


def _messages(errors: Sequence[Any], model: type[BaseModel], prefix: Location) -> Iterator[tuple[Location, str]]:
    for error in errors:
        location, context = prefix + tuple(error["loc"]), error.get("ctx", {})
        if "nested" in context:
            yield from _messages(context["nested"], context.get("model", model), location)
        else:
            yield location, _message(error, model)


def _message(error: Mapping[str, Any], model: type[BaseModel]) -> str:
    key = error["loc"][-1] if error["loc"] else ""
    match error["type"]:
        case "extra_forbidden":
            known = list(_model_at(model, error["loc"][:-1]).model_fields)
            near = suggestion(str(key), known)
            return f"unknown key '{key}'" + (near or f" (known: {', '.join(known)})")
        case "missing":
            return f"'{key}' is missing"
        case "component" | "name":
            return str(error["msg"])
        case "value_error":
            return str(error["msg"]).removeprefix("Value error, ")
    found = error["input"]
    shown = repr(found) if not isinstance(found, dict | list) else f"a {type(found).__name__}"
    return f"{error['msg'][0].lower()}{error['msg'][1:]}, found {shown}"


def _model_at(model: type[BaseModel], location: Location) -> type[BaseModel]:
    """The model that describes a location inside of ``model``."""
    for key in location:
        if isinstance(key, int):
            continue
        inner = _first_model(model.model_fields[key].annotation) if key in model.model_fields else None
        model = inner or model
    return model


def _first_model(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for part in get_args(annotation) if (found := _first_model(part))), None)
