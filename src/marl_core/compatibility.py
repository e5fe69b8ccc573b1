"""Whether host, exploration and environment of a config fit each other."""

from __future__ import annotations

from marl_core.config.run import RunConfig
from marl_core.errors import Location, UserError
from marl_core.protocols import ExplorationStrategy, HostNeeds
from marl_core.registry import build, find
from marl_core.types import EnvironmentSpec


def check_compatible(config: RunConfig, spec: EnvironmentSpec) -> None:
    """Refuse a config whose parts cannot work together, naming both sides.

    Raises:
        UserError: what is needed by whom, and who cannot give it.
    """
    host, environment = config.host.name, config.environment.name
    needs: HostNeeds = find("host", host).needs  # type: ignore[attr-defined]
    offers = {"features": spec.features, "entities": spec.entities, "state": spec.state_features}
    for what, offered in offers.items():
        if getattr(needs, what) and offered is None:
            message = f"host '{host}' needs {what} observations, which environment '{environment}' does not give"
            raise UserError(message, "host", "name")
    for index in range(len(config.stages)):
        chosen = config.stage_exploration(index)
        exploration: ExplorationStrategy = build("exploration", chosen)
        if needs.scores not in exploration.accepts:
            accepted = " or ".join(sorted(exploration.accepts))
            message = f"host '{host}' gives {needs.scores}, but exploration '{chosen.name}' takes {accepted}"
            raise UserError(message, *_where_chosen(config, index))


def _where_chosen(config: RunConfig, stage: int) -> Location:
    own = config.stages[stage].exploration is not None
    return ("stages", stage, "exploration") if own else ("exploration",)
