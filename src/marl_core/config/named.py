"""Base classes of the configs that name a component, and the field type that looks the name up in the registry."""

from __future__ import annotations

from typing import Any, Literal, TypeVar, get_args

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    ValidationError,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError, core_schema, to_json

Kind = Literal["environment", "host", "exploration"]
KINDS: tuple[Kind, ...] = get_args(Kind)
#: Marks the places of a JSON schema where any component of a kind may stand.
COMPONENT = "marl:component"
AnyModel = TypeVar("AnyModel", bound=BaseModel)


class StrictModel(BaseModel):
    """Frozen; unknown keys are refused; defaults are validated too."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", validate_default=True, allow_inf_nan=False
    )


class ComponentConfig(StrictModel):
    """A config that names the component it is for."""

    name: str = Field(description="A registered name, or package.module:Class.")


class EnvironmentConfig(ComponentConfig):
    """Base of every environment's config."""


class HostConfig(ComponentConfig):
    """Base of every host algorithm's config."""


class ExplorationConfig(ComponentConfig):
    """Base of every exploration strategy's config."""


def mistake(message: str, *location: str | int) -> PydanticCustomError:
    """What the validator of a whole model raises about one of its parts, so that the message gives that part's line.

    Args:
        message: a sentence for the user.
        location: the part, seen from the model: ``"levels", 0, "action"``.
    """
    nested = [{"loc": location, "type": "mistake", "msg": message, "input": None}]
    return PydanticCustomError(
        "nested", "{message}", {"message": message, "nested": nested}
    )


def validate_strictly(model: type[AnyModel], data: Any) -> AnyModel:
    """Validate what a file says by JSON's rules: ``true`` is no number, ``"3"`` neither, and a list makes a tuple."""
    return model.model_validate_json(
        to_json(data, inf_nan_mode="constants", fallback=str), strict=True
    )


class Named:
    """Annotation for a field that holds any registered component of a kind, told apart by its ``name``."""

    def __init__(self, kind: Kind) -> None:
        self.kind: Kind = kind

    def validate(self, value: Any) -> ComponentConfig:
        """Find the config class by the name and validate with it; errors keep the place where they arose."""
        from marl_core.registry import find, names  # the registry imports this module

        if isinstance(value, ComponentConfig):
            return value
        known = ", ".join(names(self.kind))
        if not isinstance(value, dict):
            hint = (
                f"; did you mean {{name: {value}}}?" if isinstance(value, str) else ""
            )
            raise PydanticCustomError(
                "component", "a mapping with a 'name' is expected{hint}", {"hint": hint}
            )
        if "name" not in value:
            context = {"kind": self.kind, "known": known}
            raise PydanticCustomError(
                "component",
                "'name' is missing: which {kind}? (known: {known})",
                context,
            )
        try:
            config_class = find(self.kind, value["name"]).Config
        except LookupError as error:
            raise mistake(str(error.args[0]), "name") from None
        try:
            return validate_strictly(config_class, value)
        except ValidationError as error:
            nested = {
                "nested": error.errors(include_url=False),
                "model": config_class,
                "message": str(error),
            }
            raise PydanticCustomError("nested", "{message}", nested) from None

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(
            self.validate,
            serialization=core_schema.plain_serializer_function_ser_schema(
                lambda config: config.model_dump(mode="json")
            ),
        )

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        # What is registered is not pydantic's to know: `run_schema` puts a reference here.
        return {COMPONENT: self.kind}
