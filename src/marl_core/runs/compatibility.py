"""Whether the environment, the host and the explorations of a config fit each other."""

from __future__ import annotations

from collections.abc import Sequence

from marl_core.abilities import CouplesDensities, LearnsItself
from marl_core.capabilities import HostCapabilities, Scores, Sight
from marl_core.config.run import RunConfig
from marl_core.construction import host_capabilities
from marl_core.errors import Location, UserError
from marl_core.protocols import ExplorationStrategy
from marl_core.types import EnvironmentSpec

#: How the names of an evaluation's metrics begin; `exact` ones are those of some environments.
_EVALUATED = ("greedy", "sampled", "exact")


def check_compatible(
    config: RunConfig,
    spec: EnvironmentSpec,
    explorations: Sequence[ExplorationStrategy],
) -> None:
    """Refuse a config whose parts cannot work together, naming both sides, before any network or
    game is built.

    Args:
        config: the run's.
        spec: what its environment gives.
        explorations: the strategy of each stage.

    Raises:
        UserError: what is needed by which part, and which part cannot give it.
    """
    capabilities = host_capabilities(config.host)
    _check_actions(config, capabilities, spec)
    _check_sight(config, capabilities, spec)
    _check_replay(config, capabilities)
    _check_kept(config, spec)
    if config.training.rollout_steps is not None:
        _check_pieces(config, capabilities, explorations)
    for stage, exploration in enumerate(explorations):
        _check_scores(config, capabilities.scores_in(spec), stage, exploration)
        _check_exploration(config, capabilities, stage, exploration)
        if spec.box is not None:
            _check_couples_densities(config, stage, exploration)
        _check_heads_are_together(config, stage, explorations)


def _check_sight(
    config: RunConfig, capabilities: HostCapabilities, spec: EnvironmentSpec
) -> None:
    offers: dict[Sight, object] = {
        "features": spec.features,
        "entities": spec.entities,
        "state": spec.state_features,
    }
    host = config.host.name
    environment = config.environment.name
    for what, offered in offers.items():
        if what in capabilities.needs and offered is None:
            message = (
                f"host '{host}' needs {what} observations, "
                f"which environment '{environment}' does not give"
            )
            raise UserError(message, "host", "name")


def _check_actions(
    config: RunConfig, capabilities: HostCapabilities, spec: EnvironmentSpec
) -> None:
    """Refuse a host that cannot act in a box, and boxes that go with what they do not go with."""
    if spec.box is None:
        return
    environment = config.environment.name
    if spec.actions or spec.action_masks or spec.table_rows is not None:
        message = f"environment '{environment}' has a box of actions"
        beside = "discrete actions, masks or a table of observations"
        raise UserError(f"{message}, and {beside} beside it", "environment", "name")
    if capabilities.box_scores is None:
        message = (
            f"host '{config.host.name}' takes discrete actions alone, "
            f"and those of environment '{environment}' are numbers in a box (mappo takes them)"
        )
        raise UserError(message, "host", "name")


def _check_replay(config: RunConfig, capabilities: HostCapabilities) -> None:
    """Refuse a replay from which there would never be a batch, or not the same for every device."""
    settings = capabilities.replay
    devices = config.training.processes
    if settings is None:
        return
    batch, capacity = settings.batch, settings.capacity
    if batch > capacity:
        message = f"a batch of {batch} episodes cannot come from a replay of {capacity}"
        raise UserError(message, "host")
    if (settings.steps or 0) % devices:
        message = (
            f"{devices} devices cannot share batches of {settings.steps} steps equally"
        )
        raise UserError(message, "training", "devices")
    if batch % devices or capacity % devices:
        message = (
            f"{devices} devices cannot share batches of {batch} episodes "
            f"and a replay of {capacity} equally"
        )
        raise UserError(message, "training", "devices")


def _check_kept(config: RunConfig, spec: EnvironmentSpec) -> None:
    """Refuse to keep the best checkpoint by a metric that no evaluation measures."""
    metric = config.training.keep.best
    if metric is None:
        return
    measured = ["return", *(level.name for level in spec.levels)]
    if spec.wins:
        measured.append("win_rate")
    how, _, what = metric.partition("/")
    if how in _EVALUATED and what in measured:
        return
    hows, whats = "|".join(_EVALUATED), "|".join(measured)
    message = f"evaluations do not measure '{metric}'; they measure {hows}/{whats}"
    raise UserError(message, "training", "keep", "best")


def _check_pieces(
    config: RunConfig,
    capabilities: HostCapabilities,
    explorations: Sequence[ExplorationStrategy],
) -> None:
    """Refuse to cut episodes for those who learn from whole ones alone."""
    where = ("training", "rollout_steps")
    whole = "learns from whole episodes alone, so they cannot be cut"
    if capabilities.replay is not None or not capabilities.pieces:
        raise UserError(f"host '{config.host.name}' {whole}", *where)
    for stage, exploration in enumerate(explorations):
        if isinstance(exploration.coupling, LearnsItself):
            name = config.stage_exploration(stage).name
            raise UserError(f"exploration '{name}' {whole}", *where)


def _check_scores(
    config: RunConfig, scores: Scores, stage: int, exploration: ExplorationStrategy
) -> None:
    accepts = exploration.individual.accepts
    if scores in accepts:
        return
    accepted = " or ".join(sorted(accepts))
    chosen = config.stage_exploration(stage).name
    gives = f"host '{config.host.name}' gives {scores}"
    hint = " (actions are numbers in a box)" if scores == "gaussian" else ""
    message = f"{gives}, but exploration '{chosen}' takes {accepted}{hint}"
    raise UserError(message, *_where_chosen(config, stage))


def _check_couples_densities(
    config: RunConfig, stage: int, exploration: ExplorationStrategy
) -> None:
    if isinstance(exploration.coupling, CouplesDensities):
        return
    name = config.stage_exploration(stage).name
    message = f"exploration '{name}' couples discrete actions alone"
    hint = "it has no density_law, which numbers in a box need"
    raise UserError(f"{message}: {hint}", *_where_chosen(config, stage))


def _check_exploration(
    config: RunConfig,
    capabilities: HostCapabilities,
    stage: int,
    exploration: ExplorationStrategy,
) -> None:
    chosen = config.stage_exploration(stage)
    where = _where_chosen(config, stage)
    host = config.host.name
    needs = exploration.coupling.needs
    if needs.own_heads and not capabilities.own_heads:
        message = (
            f"exploration '{chosen.name}' needs a policy head for each agent, "
            f"and host '{host}' has no policy head that could be copied"
        )
        raise UserError(message, *where)
    if needs.head_groups and not capabilities.head_groups:
        message = (
            f"exploration '{chosen.name}' needs heads that groups of agents share, "
            f"which host '{host}' does not have"
        )
        raise UserError(message, *where)
    if needs.component_scores and not capabilities.component_scores:
        message = (
            f"exploration '{chosen.name}' needs scores for each component, "
            f"which host '{host}' does not give"
        )
        raise UserError(message, *where)


def _check_heads_are_together(
    config: RunConfig,
    stage: int,
    explorations: Sequence[ExplorationStrategy],
) -> None:
    """Refuse to join heads that an earlier stage has made different."""
    before = [one.coupling.needs.own_heads for one in explorations[:stage]]
    if explorations[stage].coupling.needs.head_groups and any(before):
        name = config.stage_exploration(stage).name
        message = (
            f"exploration '{name}' has agents share heads, "
            f"but stage {before.index(True)} has given them heads of their own"
        )
        raise UserError(message, *_where_chosen(config, stage))


def _where_chosen(config: RunConfig, stage: int) -> Location:
    own = config.stages[stage].exploration is not None
    return ("stages", stage, "exploration") if own else ("exploration",)
