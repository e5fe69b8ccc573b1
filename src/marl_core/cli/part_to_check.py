"""What ``marl check`` is asked about: a class, its settings, and where its module is looked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self, final

import torch

from marl_core.base_config import Kind
from marl_core.config.module_folders import modules_in
from marl_core.config.overrides import apply_overrides
from marl_core.config.yaml_document import plain, read_document
from marl_core.errors import UserError
from marl_core.registry import EXPLORATIONS
from marl_core.testing import (
    COUPLING_CHECKS,
    ENVIRONMENT_CHECKS,
    EXPLORATION_CHECKS,
    HOST_CHECKS,
    POLICY_CHECKS,
)
from marl_core.testing.checking import Checks
from marl_core.testing.named_parts import (
    coupling_case,
    environment_case,
    host_case,
    policy_case,
    strategy_case,
    with_config,
)
from marl_core.testing.play import EnvironmentCase
from marl_core.testing.practice import PRACTICE

#: The rules, the case, and the class.
Checkable = tuple[Checks[Any], Any, Callable[..., Any]]


def check_device(name: str) -> None:
    """See that there is such a device.

    Args:
        name: as torch takes it.

    Raises:
        UserError: there is none.
    """
    try:
        torch.zeros(1, device=name)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise UserError(f"--device {name}: {reason}") from error


@final
@dataclass(frozen=True)
class PartToCheck:
    """A class and its settings.

    Attributes:
        kind: as the user names it.
        name: a registered name, or ``module:Class``.
        settings: what a config says of it.
        played: what the config says of the environment; None: nothing.
        folders: where modules are looked for, after Python's own places.
    """

    kind: Kind
    name: str
    settings: Mapping[str, Any]
    played: Mapping[str, Any] | None
    folders: tuple[Path, ...]

    @classmethod
    def read(
        cls, kind: Kind, name: str, file: Path | None, overrides: Sequence[str]
    ) -> Self:
        """Read what a file says of the class, and what is said over it.

        Args:
            kind: as the user names it.
            name: a registered name, or ``module:Class``.
            file: a run's YAML file that names the class, or its settings alone; None: there is
                none.
            overrides: ``key=value``.

        Raises:
            UserError: the file cannot be read, or does not name the class.
        """
        folders: tuple[Path, ...] = (Path.cwd(),)
        data: dict[str, Any] = {}
        if file is not None:
            data = plain(read_document(file))
            folders = (file.resolve().parent, Path.cwd())
        of_run = "environment" in data and "host" in data
        settings = _of_part(kind, name, data, file) if of_run else data
        apply_overrides(settings, overrides)
        played = data["environment"] if of_run else None
        return cls(kind, name, settings, played, folders)

    def modules(self) -> AbstractContextManager[None]:
        """Inside of it, modules are found that stand beside the file."""
        return modules_in(self.folders)

    def case(self, environment: str | None, device: str) -> Checkable:
        """The rules, the case to check by them, and the class.

        Args:
            environment: what a host plays; None: what the config says, or ``Practice``.
            device: where an environment plays.

        Raises:
            UserError: there is no such class, or it refuses its settings.
        """
        kinds: tuple[Kind, ...] = (self.kind,)
        if self.kind == "exploration":
            kinds = EXPLORATIONS
        kind, factory, config = with_config(kinds, self.name, self.settings)
        match kind:
            case "environment":
                case = environment_case(self.name, config, device)
                return ENVIRONMENT_CHECKS, case, factory
            case "host":
                played = self._played(environment)
                return HOST_CHECKS, host_case(self.name, config, played), factory
            case "policy":
                return POLICY_CHECKS, policy_case(self.name, config), factory
            case "coupling":
                return COUPLING_CHECKS, coupling_case(self.name, config), factory
        return EXPLORATION_CHECKS, strategy_case(self.name, config), factory

    def _played(self, environment: str | None) -> EnvironmentCase:
        if environment is not None:
            return environment_case(environment)
        if self.played is None:
            return PRACTICE
        settings = dict(self.played)
        return environment_case(settings.pop("name", ""), settings)


def _of_part(
    kind: str, name: str, data: Mapping[str, Any], file: Path | None
) -> dict[str, Any]:
    """What a run's config says of the class."""
    key = "exploration" if kind == "coupling" else kind
    stages = data.get("stages") or []
    places = [data.get(key), *(stage.get(key) for stage in stages)]
    for found in places:
        if isinstance(found, dict) and found.get("name") == name:
            return {k: v for k, v in found.items() if k != "name"}
    raise UserError(f"{file}: there is no {kind} '{name}' in it")
