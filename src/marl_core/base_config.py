"""The configs of a run's parts: what a part can be told, and what it declares before it is built.

A *part* is what a config names: an environment, a host algorithm, an individual policy, a coupling.
Its config is a pydantic model, validated by the rules of JSON.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, TypeVar, final, get_args

from pydantic import BaseModel, ConfigDict, Field
from pydantic_core import PydanticCustomError, to_json

#: The kinds of parts. ``exploration`` is a whole strategy: an individual policy and a coupling in
#: one class.
Kind = Literal["environment", "host", "policy", "coupling", "exploration"]
KINDS: tuple[Kind, ...] = get_args(Kind)
AnyModel = TypeVar("AnyModel", bound=BaseModel)

# Upper bounds. A number beyond its bound is a slip, and would end in an abort or without memory.
#: Of what is counted over a whole run: episodes, steps, updates.
MOST_IN_ALL = 10**12
#: Of what is in memory at once: agents, units of a layer, games.
MOST_AT_ONCE = 10**6
#: Of the test episodes of one evaluation.
MOST_TEST_EPISODES = 10**5
#: Of processes, and of threads in one.
MOST_PROCESSES = 1024
#: Of a seed: signed integers of 64 bits hold it.
LARGEST_SEED = 2**63 - 1
#: Of other numbers: single precision holds it.
LARGEST = 1e30
#: Of the letters of a name.
LONGEST_NAME = 200


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
        default="",
        max_length=LONGEST_NAME,
        description="A registered name, or package.module:Class.",
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


@final
class UnreadConfig(EnvironmentConfig, HostConfig, ExplorationConfig):
    """Settings of a part whose code has not been looked at: they are taken as they are."""

    model_config = ConfigDict(extra="allow")


#: What is done about ``package.module:Class`` while a config is validated. ``import``: whatever it
#: names. ``known``: nothing is imported that has not been before. ``leave``: its settings are taken
#: as they are, and nothing can be built by them.
Code = Literal["import", "known", "leave"]


def code_of(info: object) -> Code:
    """What a validation does about code: it imports it, where nobody has said otherwise.

    Args:
        info: pydantic's ``ValidationInfo``.
    """
    context = getattr(info, "context", None)
    return context.code if isinstance(context, Limits) else "import"


@final
@dataclass(frozen=True)
class Limits:
    """The context of a validation.

    Attributes:
        code: what is done about ``package.module:Class``.
    """

    code: Code


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


def validate_strictly(
    model: type[AnyModel], data: Any, code: Code = "import"
) -> AnyModel:
    """Validate what a file says by JSON's rules: ``true`` is no number, ``"3"`` neither, a list
    makes a tuple.

    Args:
        model: the model to validate with.
        data: plain values, as a YAML file gives them.
        code: what is done about ``package.module:Class``.

    Returns:
        The valid model.

    Raises:
        ValidationError: from pydantic, with every mistake.
    """
    text = to_json(data, inf_nan_mode="constants", fallback=str)
    return model.model_validate_json(text, strict=True, context=Limits(code))
