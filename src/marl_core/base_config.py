"""The configs of a run's parts: what a part can be told, and what it declares before it is built.

A *part* is what a config names: an environment, a host algorithm, an individual policy, a coupling.
Its config is a pydantic model, validated by the rules of JSON.
"""

from __future__ import annotations

from typing import Any, Literal, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, Field
from pydantic_core import PydanticCustomError, to_json

#: The kinds of parts. ``exploration`` is a whole strategy: an individual policy and a coupling in
#: one class.
Kind = Literal["environment", "host", "policy", "coupling", "exploration"]
KINDS: tuple[Kind, ...] = get_args(Kind)
AnyModel = TypeVar("AnyModel", bound=BaseModel)


class StrictModel(BaseModel):
    """A model that is frozen, refuses unknown keys and infinite numbers, and validates its
    defaults.
    """

    model_config = ConfigDict(
        frozen=True, extra="forbid", validate_default=True, allow_inf_nan=False
    )


class PartConfig(StrictModel):
    """A config that names the part it is for. A part's own config gives ``name`` a default."""

    name: str = Field(
        default="", description="A registered name, or package.module:Class."
    )


class EnvironmentConfig(PartConfig):
    """Base of environments' configs.

    A config may have a method ``spec() -> EnvironmentSpec``; then nobody has to build a game to
    learn the shapes.
    """


class HostConfig(PartConfig):
    """Base of host algorithms' configs.

    A config has a property ``capabilities -> HostCapabilities``, unless the host's class has such
    an attribute.
    """


class ExplorationConfig(PartConfig):
    """Base of all configs that may stand under ``exploration``."""


class PolicyConfig(ExplorationConfig):
    """Base of individual policies' configs."""


def mistake(message: str, *location: str | int) -> PydanticCustomError:
    """An error that the validator of a whole model raises about one of its parts.

    Args:
        message: a sentence for the user.
        location: the part, seen from the model, as ``"levels", 0, "action"``. The user is told that
            part's line.

    Returns:
        The error to raise.
    """
    nested = [{"loc": location, "type": "mistake", "msg": message, "input": None}]
    context = {"message": message, "nested": nested}
    return PydanticCustomError("nested", "{message}", context)


def validate_strictly(model: type[AnyModel], data: Any) -> AnyModel:
    """Validate what a file says by JSON's rules: ``true`` is no number, ``"3"`` neither, a list
    makes a tuple.

    Args:
        model: the model to validate with.
        data: plain values, as a YAML file gives them.

    Returns:
        The valid model.

    Raises:
        ValidationError: from pydantic, with every mistake.
    """
    text = to_json(data, inf_nan_mode="constants", fallback=str)
    return model.model_validate_json(text, strict=True)
