"""Base classes of the configs that name a component, and the field type that looks the name up in the registry."""

from __future__ import annotations

from typing import Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, GetCoreSchemaHandler, GetJsonSchemaHandler, ValidationError
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

Kind = Literal["environment", "host", "exploration"]
KINDS: tuple[Kind, ...] = get_args(Kind)


class StrictModel(BaseModel):
    """Frozen; unknown keys are refused; defaults are validated too."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True, allow_inf_nan=False)


class ComponentConfig(StrictModel):
    """A config that names the component it is for."""

    name: str = Field(description="A registered name, or package.module:Class.")


class EnvironmentConfig(ComponentConfig):
    """Base of every environment's config."""


class HostConfig(ComponentConfig):
    """Base of every host algorithm's config."""


class ExplorationConfig(ComponentConfig):
    """Base of every exploration strategy's config."""


class Named:
    """Annotation for a field that holds any registered component of a kind, told apart by its ``name``."""

    def __init__(self, kind: Kind) -> None:
        self.kind: Kind = kind

    def validate(self, value: Any) -> ComponentConfig:
        """Find the config class by the name and validate with it; errors keep the place where they arose."""
        from marl_core.registry import find  # the registry imports the protocols, which import this module

        if isinstance(value, ComponentConfig):
            return value
        if not isinstance(value, dict):
            raise PydanticCustomError("component", "expected a mapping with a 'name'", {})
        if "name" not in value:
            raise PydanticCustomError("component", "'name' is missing: which {kind}?", {"kind": self.kind})
        try:
            config_class = find(self.kind, value["name"]).Config
        except LookupError as error:
            nested = [{"loc": ("name",), "type": "name", "msg": str(error.args[0]), "input": value["name"]}]
            raise PydanticCustomError("nested", "unknown name", {"nested": nested}) from None
        try:
            return config_class.model_validate(value)
        except ValidationError as error:
            context = {"nested": error.errors(include_url=False), "model": config_class}
            raise PydanticCustomError("nested", "invalid", context) from None

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(
            self.validate,
            serialization=core_schema.plain_serializer_function_ser_schema(
                lambda config: config.model_dump(mode="json")
            ),
        )

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        # One definition for each kind, filled in by `run_schema`, because an exploration may hold another one.
        return {"$ref": f"#/$defs/{self.kind}"}
