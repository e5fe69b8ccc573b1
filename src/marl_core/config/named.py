"""The type of a config's field that holds any registered part: the part's name says which config
validates it.
"""

from __future__ import annotations

import inspect
from functools import cache
from typing import Annotated, Any

from pydantic import (
    BaseModel,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    ValidationError,
    create_model,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from marl_core.base_config import (
    Code,
    EnvironmentConfig,
    ExplorationConfig,
    HostConfig,
    Kind,
    PartConfig,
    PolicyConfig,
    UnreadConfig,
    code_of,
    mistake,
    validate_strictly,
)
from marl_core.registry import EXPLORATIONS, Factory, find_any, is_code, names

#: Marks the places of a JSON schema where any part of a kind may stand.
PART = "marl:part"


class CouplingConfig(ExplorationConfig):
    """Base of couplings' configs: whose individual policies are coupled, beside the coupling's own
    settings.
    """

    individual: AnyPolicy | None = Field(
        default=None,
        description="Whose individual policy is coupled; by default the run's own `exploration`.",
    )


class Named:
    """Annotation for a field that holds any registered part of a kind, told apart by its ``name``.

    Args:
        kind: of parts; ``exploration`` takes individual policies, couplings and whole strategies.
    """

    def __init__(self, kind: Kind) -> None:
        self.kind: Kind = kind

    @property
    def kinds(self) -> tuple[Kind, ...]:
        """The kinds of parts that may stand here."""
        return EXPLORATIONS if self.kind == "exploration" else (self.kind,)

    def validate(self, value: Any, info: object) -> PartConfig:
        """Find the config class by the name and validate with it; errors keep the place where they
        arose.

        Args:
            value: a mapping with a ``name``, or a config.
            info: pydantic's; its context may say that nothing shall be imported.

        Raises:
            PydanticCustomError: there is no such part, or it refuses its settings.
        """
        if isinstance(value, PartConfig) and value.name:
            return value
        known = ", ".join(name for kind in self.kinds for name in names(kind))
        if not isinstance(value, dict):
            hint = (
                f"; did you mean {{name: {value}}}?" if isinstance(value, str) else ""
            )
            message = "a mapping with a 'name' is expected{hint}"
            raise PydanticCustomError("part", message, {"hint": hint})
        if "name" not in value:
            context = {"kind": self.kind, "known": known}
            message = "'name' is missing: which {kind}? (known: {known})"
            raise PydanticCustomError("part", message, context)
        return self._validated(value, code_of(info))

    def _validated(self, value: dict[str, Any], code: Code) -> PartConfig:
        name = value["name"]
        if code == "leave" and is_code(name):
            return UnreadConfig.model_validate(value)
        try:
            kind, factory = find_any(self.kinds, name, new=code == "import")
            model = config_class(kind, factory)
        except LookupError as error:
            raise mistake(str(error.args[0]), "name") from None
        try:
            return validate_strictly(model, value, code)
        except ValidationError as error:
            nested = {
                "nested": error.errors(include_url=False),
                "model": model,
                "message": str(error),
            }
            raise PydanticCustomError("nested", "{message}", nested) from None

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        as_json = core_schema.plain_serializer_function_ser_schema(_dumped)
        return core_schema.with_info_plain_validator_function(
            self.validate, serialization=as_json
        )

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        # What is registered is not pydantic's to know: `run_schema` puts a reference here.
        return {PART: self.kind}


def _dumped(config: PartConfig) -> dict[str, Any]:
    return config.model_dump(mode="json")


AnyEnvironment = Annotated[EnvironmentConfig, Named("environment")]
AnyHost = Annotated[HostConfig, Named("host")]
AnyPolicy = Annotated[ExplorationConfig, Named("policy")]
AnyExploration = Annotated[ExplorationConfig, Named("exploration")]
CouplingConfig.model_rebuild()

_BASES: dict[Kind, type[PartConfig]] = {
    "environment": EnvironmentConfig,
    "host": HostConfig,
    "policy": PolicyConfig,
    "coupling": CouplingConfig,
    "exploration": ExplorationConfig,
}


@cache
def config_class(kind: Kind, factory: Factory) -> type[PartConfig]:
    """The class of the config that a factory takes.

    A ``Config`` that does not inherit from this project's bases gets what they have: ``name``, and
    of a coupling ``individual``. A factory without a ``Config`` has no settings.

    Args:
        kind: of the part that the factory makes.
        factory: a registered one.

    Raises:
        LookupError: ``Config`` is no pydantic model; the argument is a sentence for the user.
    """
    base = _BASES[kind]
    own = getattr(factory, "Config", base)
    if not (inspect.isclass(own) and issubclass(own, BaseModel)):
        name = getattr(factory, "__name__", str(factory))
        raise LookupError(f"'{name}' is no {kind}: its Config is no pydantic model")
    if issubclass(own, base):
        return own
    if issubclass(own, PartConfig):
        expected = base.__name__
        raise LookupError(
            f"'{getattr(factory, '__name__', factory)}' is no {kind}: "
            f"its Config must be a subclass of {expected}, or of pydantic's BaseModel"
        )
    bases: Any = (own, base)
    adapted: type[PartConfig] = create_model(
        own.__name__, __base__=bases, __doc__=own.__doc__
    )
    return adapted
