"""From a config to the part that it names, typed by kind; and what configs declare before that."""

from __future__ import annotations

from typing import Any

import torch

from marl_core.abilities import Closes
from marl_core.base_config import (
    EnvironmentConfig,
    ExplorationConfig,
    HostConfig,
    Kind,
    PartConfig,
    UnreadConfig,
)
from marl_core.capabilities import (
    CouplingNeeds,
    DeclaresCapabilities,
    DeclaresNeeds,
    DeclaresSpec,
    HostCapabilities,
)
from marl_core.conformance import misfits
from marl_core.errors import UserError
from marl_core.protocols import (
    Coupling,
    Environment,
    ExplorationStrategy,
    HostAlgorithm,
    IndividualPolicy,
)
from marl_core.registry import find, find_any, protocol_of
from marl_core.types import EnvironmentSpec


def _build(
    kinds: tuple[Kind, ...], config: PartConfig, *args: Any, **keywords: Any
) -> Any:
    """Make the part that a config names, and see whether it fits its protocol."""

    _check_read(config)
    try:
        kind, factory = find_any(kinds, config.name)
    except LookupError as error:
        raise UserError(str(error.args[0])) from error
    part = factory(config, *args, **keywords)
    wrong = misfits(part, protocol_of(kind))
    if wrong:
        raise UserError(f"{kind} '{config.name}' does not fit: {', '.join(wrong)}")
    return part


def _check_read(config: PartConfig) -> None:
    """Refuse to build by settings that nobody has looked at."""
    if isinstance(config, UnreadConfig):
        raise UserError(f"'{config.name}' has not been looked at: it is code")


def build_environment(
    config: EnvironmentConfig,
    *,
    games: int,
    device: torch.device | str,
    generator: torch.Generator,
) -> Environment:
    """Build the environment that a config names.

    Args:
        config: names it, and holds its settings.
        games: E, how many games it plays at once.
        device: where its tensors are.
        generator: where all its randomness comes from.

    Raises:
        UserError: there is no such environment, or it does not fit the protocol.
    """
    made: Environment = _build(
        ("environment",), config, games=games, device=device, generator=generator
    )
    return made


def build_host(
    config: HostConfig, spec: EnvironmentSpec, generator: torch.Generator
) -> HostAlgorithm:
    """Build the host algorithm that a config names.

    Args:
        config: names it, and holds its settings.
        spec: what the environment gives.
        generator: where the initial weights come from; on the CPU.

    Raises:
        UserError: there is no such host, or it does not fit the protocol.
    """
    made: HostAlgorithm = _build(("host",), config, spec, generator)
    return made


def build_policy(config: ExplorationConfig, spec: EnvironmentSpec) -> IndividualPolicy:
    """Build the individual policy that a config names.

    Args:
        config: names it, and holds its settings.
        spec: what the environment gives.

    Raises:
        UserError: there is no such policy, or it does not fit the protocol.
    """
    made: IndividualPolicy = _build(("policy",), config, spec)
    return made


def build_coupling(config: ExplorationConfig, spec: EnvironmentSpec) -> Coupling:
    """Build the coupling that a config names.

    Args:
        config: names it, and holds its settings.
        spec: what the environment gives.

    Raises:
        UserError: there is no such coupling, or it does not fit the protocol.
    """
    made: Coupling = _build(("coupling",), config, spec)
    return made


def build_strategy(
    config: ExplorationConfig, spec: EnvironmentSpec
) -> ExplorationStrategy:
    """Build the whole strategy that a config names by one class.

    Args:
        config: names it, and holds its settings.
        spec: what the environment gives.

    Raises:
        UserError: there is no such strategy, or it does not fit the protocol.
    """
    made: ExplorationStrategy = _build(("exploration",), config, spec)
    return made


def environment_spec(config: EnvironmentConfig) -> EnvironmentSpec:
    """What an environment gives: as its config declares it, else from one game that is built to
    look at it.

    Args:
        config: names the environment.

    Raises:
        UserError: there is no such environment, or it does not fit the protocol.
    """

    if isinstance(config, DeclaresSpec):
        return config.spec()
    scratch = torch.Generator()
    environment = build_environment(config, games=1, device="cpu", generator=scratch)
    spec = environment.spec
    if isinstance(environment, Closes):
        environment.close()
    return spec


def host_capabilities(config: HostConfig) -> HostCapabilities:
    """What a host gives and needs: as its config declares it, else its class.

    Args:
        config: names the host.

    Raises:
        UserError: there is no such host, or nothing declares its capabilities.
    """

    _check_read(config)
    if isinstance(config, DeclaresCapabilities):
        return config.capabilities
    try:
        declared = getattr(find("host", config.name), "capabilities", None)
    except LookupError as error:
        raise UserError(str(error.args[0])) from error
    if not isinstance(declared, HostCapabilities):
        message = (
            f"host '{config.name}' does not say what it gives and needs: "
            "neither its Config nor its class has 'capabilities'"
        )
        raise UserError(message, "host", "name")
    return declared


def coupling_needs(config: ExplorationConfig) -> CouplingNeeds:
    """What the coupling of an exploration asks of a host, as its config declares it; by default
    nothing.

    Args:
        config: of an exploration.
    """

    return config.needs if isinstance(config, DeclaresNeeds) else CouplingNeeds()
