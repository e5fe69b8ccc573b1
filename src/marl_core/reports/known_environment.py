"""What a report knows of a run's environment; of code that may not be run, what the folder says."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, final

from marl_core.base_config import EnvironmentConfig, UnreadConfig
from marl_core.construction import environment_spec
from marl_core.runs.folder import RunFolder
from marl_core.types import Level


@final
@dataclass(frozen=True)
class Known:
    """What is known of an environment.

    Attributes:
        agents: N; None where nobody says it.
        levels: the parts of its task, as far as they are known.
    """

    agents: int | None
    levels: tuple[Level, ...]


def known_of(environment: EnvironmentConfig, folder: RunFolder) -> Known:
    """What is known of the environment of a run.

    Args:
        environment: its config.
        folder: of the run.

    Raises:
        UserError: the environment does not fit the protocol.
    """
    if not isinstance(environment, UnreadConfig):
        spec = environment_spec(environment)
        return Known(spec.agents, spec.levels)
    agents = environment.model_dump().get("agents")
    counted = isinstance(agents, int) and not isinstance(agents, bool)
    return Known(agents if counted else None, tuple(_levels(folder)))


def _levels(folder: RunFolder) -> Iterator[Level]:
    """The levels that a summary tells of: a run that is not finished has none."""
    try:
        said: Any = json.loads(folder.summary.read_bytes())["levels"]
        pairs = [(level["name"], level["kind"]) for level in said]
    except (OSError, ValueError, LookupError, TypeError, RecursionError):
        return
    for name, kind in pairs:
        if isinstance(name, str) and isinstance(kind, str):
            yield Level(name, kind)
