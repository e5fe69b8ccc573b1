"""From a name, or a class, and its settings to a case that can be checked."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from pydantic import BaseModel, ValidationError

from marl_core.base_config import Kind, validate_strictly
from marl_core.config.named import CouplingConfig, config_class
from marl_core.config.report import mistakes
from marl_core.construction import build_policy
from marl_core.errors import SeveralMistakesError, UserError, dotted
from marl_core.registry import Factory, find_any, recognised
from marl_core.testing.explorations import ExplorationCase
from marl_core.testing.laws import CouplingCase
from marl_core.testing.learning import HostCase
from marl_core.testing.play import EnvironmentCase
from marl_core.testing.policy_case import PolicyCase
from marl_core.testing.practice import PRACTICE

#: A registered name, ``module:Class``, or a class.
Part = str | Callable[..., Any]
#: What a config says of a part, or its config.
Settings = Mapping[str, Any] | BaseModel | None


def environment_case(
    part: Part, settings: Settings = None, device: str = "cpu"
) -> EnvironmentCase:
    """An environment to check.

    Args:
        part: a registered name, ``module:Class``, or a class.
        settings: what a config says of it, or its config.
        device: where it plays.

    Raises:
        UserError: there is no such environment, or it refuses its settings.
    """
    _, factory, config = with_config(("environment",), part, settings)
    return EnvironmentCase(partial(factory, config), device)


def host_case(
    part: Part,
    settings: Settings = None,
    environment: EnvironmentCase = PRACTICE,
) -> HostCase:
    """A host to check.

    Args:
        part: a registered name, ``module:Class``, or a class.
        settings: what a config says of it, or its config.
        environment: what it plays.

    Raises:
        UserError: there is no such host, or it refuses its settings.
    """
    _, factory, config = with_config(("host",), part, settings)
    return HostCase(partial(factory, config), environment)


def policy_case(part: Part, settings: Settings = None) -> PolicyCase:
    """An individual policy to check.

    Args:
        part: a registered name, ``module:Class``, or a class.
        settings: what a config says of it, or its config.

    Raises:
        UserError: there is no such policy, or it refuses its settings.
    """
    _, factory, config = with_config(("policy",), part, settings)
    return PolicyCase(partial(factory, config))


def coupling_case(part: Part, settings: Settings = None) -> CouplingCase:
    """A coupling to check, over the individual policy that its settings name, or a softmax.

    Args:
        part: a registered name, ``module:Class``, or a class.
        settings: what a config says of it, or its config.

    Raises:
        UserError: there is no such coupling, or it refuses its settings.
    """
    _, factory, config = with_config(("coupling",), part, settings)
    make = partial(factory, config)
    if isinstance(config, CouplingConfig) and config.individual is not None:
        return CouplingCase(make, policy=partial(build_policy, config.individual))
    return CouplingCase(make)


def strategy_case(part: Part, settings: Settings = None) -> ExplorationCase:
    """A whole strategy of one class to check.

    Args:
        part: ``module:Class`` or a registered name, or a class.
        settings: what a config says of it, or its config.

    Raises:
        UserError: there is no such strategy, or it refuses its settings.
    """
    _, factory, config = with_config(("exploration",), part, settings)
    return ExplorationCase(partial(factory, config))


def with_config(
    kinds: tuple[Kind, ...], part: Part, settings: Settings
) -> tuple[Kind, Factory, BaseModel]:
    """The kind of a part, what makes it, and its config.

    Args:
        kinds: what it may be, in this order.
        part: a registered name, ``module:Class``, or a class.
        settings: what a config says of it, or its config.

    Raises:
        UserError: there is no such part, or it refuses its settings; a line for each mistake.
    """
    try:
        found = (
            find_any(kinds, part) if isinstance(part, str) else recognised(kinds, part)
        )
        kind, factory = found
        if isinstance(settings, BaseModel):
            return kind, factory, settings
        model = config_class(kind, factory)
    except LookupError as error:
        raise UserError(str(error.args[0])) from error
    name = part if isinstance(part, str) else f"{part.__module__}:{part.__qualname__}"
    data = {**(settings or {}), "name": name}
    try:
        return kind, factory, validate_strictly(model, data)
    except ValidationError as error:
        lines = [
            f"{kind} '{name}': {_place(one.part)}{one.message}"
            for one in mistakes(error, model, data)
        ]
        raise SeveralMistakesError(lines) from error


def _place(location: tuple[str | int, ...]) -> str:
    return f"{dotted(location)}: " if location else ""
