"""From a config, and a checkpoint if there is one, to a run's parts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from torch import Tensor, nn

from marl_core.abilities import HasComponentScores
from marl_core.base_config import ExplorationConfig, UnreadConfig
from marl_core.config.named import CouplingConfig
from marl_core.config.run import RunConfig
from marl_core.construction import (
    build_coupling,
    build_host,
    build_policy,
    build_strategy,
    environment_spec,
)
from marl_core.errors import Location, UserError
from marl_core.exploration.coupled import CoupledExploration
from marl_core.protocols import ExplorationStrategy, HostAlgorithm
from marl_core.registry import find_any
from marl_core.rng import generator
from marl_core.run_state import RunState
from marl_core.runs.checkpoint_file import fitting, read_tensors, source_of
from marl_core.runs.compatibility import check_compatible
from marl_core.runs.first_parameters import load_fitting
from marl_core.runs.folder import RunFolder
from marl_core.runs.own_heads import give_heads, share_heads
from marl_core.runs.saved_progress import saved_progress
from marl_core.runs.saved_tensors import check_alike, check_names
from marl_core.runs.sources import note_changed_sources
from marl_core.types import EnvironmentSpec, Progress

#: Under which the host's parameters stand in a checkpoint.
HOST_PREFIX = "host."
#: Under which the parameters of a coupling that learns stand in a checkpoint.
COUPLING_PREFIX = "coupling."


def first_state(config: RunConfig) -> RunState:
    """A run before any training.

    Args:
        config: the run's.

    Raises:
        UserError: the parts do not fit together.
    """
    return begun_state(config, {})[0]


def begun_state(
    config: RunConfig,
    parameters: Mapping[str, Tensor],
) -> tuple[RunState, dict[str, Tensor]]:
    """A run before any training that begins with given parameters.

    They fit the host as it is built, or as its first stage changes it: a team whose agents get
    heads of their own begins with copies of the one head that is given, or with a head for each.

    Args:
        config: the run's.
        parameters: of the host, by their names.

    Returns:
        The run, and the parameters that fit nowhere.

    Raises:
        UserError: the parts do not fit together.
    """
    return _at(config, Progress(), parameters)


def saved_state(config: RunConfig, saved: Mapping[str, Any]) -> RunState:
    """A run as it is at a checkpoint.

    Args:
        config: the run's.
        saved: the checkpoint's content.

    Raises:
        UserError: the parts do not fit together, or the checkpoint is of another run.
    """
    spec = _spec_of(config)
    with fitting(source_of(saved)):
        progress = saved_progress(config, spec, saved["marl"]["progress"])
    state, _ = _at(config, progress, {})
    with fitting(source_of(saved)):
        _load_parameters(state, saved["state_dict"])
    return state


def _spec_of(config: RunConfig) -> EnvironmentSpec:
    """What the environment gives. What is wrong with it is told with its place in the config."""
    try:
        return environment_spec(config.environment)
    except UserError as error:
        if error.location or len(error.lines) > 1:
            raise
        raise UserError(error.message, "environment") from error


def _load_parameters(state: RunState, saved: Mapping[str, Any]) -> None:
    """Load all parameters. Everything is checked before the first is touched.

    Raises:
        ValueError: a parameter is another one than the run's.
    """
    parts: dict[str, HostAlgorithm | nn.Module] = {HOST_PREFIX: state.host}
    coupling = state.exploration.coupling
    if isinstance(coupling, nn.Module):
        parts[COUPLING_PREFIX] = coupling
    expected = {
        prefix + name: value
        for prefix, part in parts.items()
        for name, value in part.state_dict().items()
    }
    check_alike("parameter", saved, expected, state.config.training.precision)
    for prefix, part in parts.items():
        _load(part, _saved_under(prefix, saved))


def _saved_under(prefix: str, saved: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name.removeprefix(prefix): value
        for name, value in saved.items()
        if name.startswith(prefix)
    }


def _load(part: HostAlgorithm | nn.Module, parameters: dict[str, Any]) -> None:
    if isinstance(part, nn.Module):
        # Assigned: a copy would round 64-true weights to float32.
        part.load_state_dict(parameters, assign=True)
    else:
        part.load_state_dict(parameters)


def beginning_state(config: RunConfig, folder: RunFolder) -> RunState:
    """A run before any training, with the parameters that its folder gives it, if it does.

    Args:
        config: the run's.
        folder: where it goes.

    Raises:
        UserError: the folder's parameters do not fit.
    """
    if not folder.start.exists():
        return first_state(config)
    state, left = begun_state(config, read_tensors(folder.start))
    with fitting(folder.start):
        check_names("parameter", left, [])
    return state


def newest_state(folder: RunFolder) -> RunState:
    """A run as it is at its newest checkpoint, or at the one that the folder was asked for.

    Args:
        folder: the run's.

    Raises:
        UserError: there is no run, or it has no checkpoint yet.
    """
    config = folder.load_config()
    note_changed_sources(folder)
    if folder.is_asked_for_start:
        return beginning_state(config, folder)
    saved = folder.load_checkpoint()
    if saved is None:
        hint = f"no checkpoint yet; `marl resume {folder.path}` trains the run"
        raise UserError(f"{folder.checkpoint}: {hint}")
    return saved_state(config, saved)


def _at(
    config: RunConfig,
    progress: Progress,
    parameters: Mapping[str, Tensor],
) -> tuple[RunState, dict[str, Tensor]]:
    """The run with its networks as they are built or given, changed by the stages up to the one
    that it is in; and the given parameters that fit nowhere.
    """
    spec = _spec_of(config)
    explorations = [
        stage_exploration(config, stage, spec) for stage in range(len(config.stages))
    ]
    check_compatible(config, spec, explorations)
    host = build_host(config.host, spec, generator("cpu", config.seed, "network"))
    left = load_fitting(host, parameters)
    for stage in range(progress.stage + 1):
        exploration = explorations[stage]
        prepare_host(host, exploration, ("stages", stage, "exploration"))
        within = _within(progress, stage, config)
        share_heads(RunState(config, spec, host, exploration, within))
    left = load_fitting(host, left)
    state = RunState(config, spec, host, explorations[progress.stage], progress)
    return state, left


def _within(progress: Progress, stage: int, config: RunConfig) -> Progress:
    """How far the run was in a stage: of a stage that is over, at its end."""
    if stage == progress.stage:
        return progress
    episodes = config.stages[stage].episodes
    return replace(progress, stage=stage, stage_episodes=episodes)


def next_stage(state: RunState) -> RunState:
    """The run at the beginning of its next stage, whose exploration may change the host's networks.

    Args:
        state: the run at the end of a stage.
    """
    stage = state.progress.stage + 1
    exploration = stage_exploration(state.config, stage, state.spec)
    prepare_host(state.host, exploration, ("stages", stage, "exploration"))
    progress = replace(state.progress, stage=stage, stage_episodes=0)
    following = replace(state, exploration=exploration, progress=progress)
    share_heads(following)
    return following


def stage_exploration(
    config: RunConfig, stage: int, spec: EnvironmentSpec
) -> ExplorationStrategy:
    """How the team explores in a stage.

    Args:
        config: the run's.
        stage: its index, from 0.
        spec: what the environment gives.

    Raises:
        UserError: a part cannot be found, or does not fit its protocol.
    """
    return build_exploration(config.stage_exploration(stage), spec)


def build_exploration(
    config: ExplorationConfig, spec: EnvironmentSpec
) -> ExplorationStrategy:
    """The strategy that a config describes: an individual policy alone, a coupling over one, or a
    class of its own.

    Args:
        config: with ``individual`` filled in, where it is a coupling's.
        spec: what the environment gives.

    Raises:
        UserError: a part cannot be found, or does not fit its protocol.
    """
    if isinstance(config, CouplingConfig):
        if config.individual is None:
            message = f"coupling '{config.name}' needs an 'individual' policy to couple"
            raise UserError(message)
        individual = build_policy(config.individual, spec)
        return CoupledExploration(individual, build_coupling(config, spec))
    if isinstance(config, UnreadConfig):
        raise UserError(f"'{config.name}' has not been looked at: it is code")
    try:
        kind, _ = find_any(("policy", "exploration"), config.name)
    except LookupError as error:
        raise UserError(str(error.args[0])) from error
    if kind == "policy":
        return CoupledExploration(build_policy(config, spec))
    return build_strategy(config, spec)


def prepare_host(
    host: HostAlgorithm, exploration: ExplorationStrategy, where: Location
) -> None:
    """Change the host's networks as the coupling asks for, at the start of a stage.

    Args:
        host: is changed.
        exploration: how the team explores in the stage.
        where: the part of the config that says so, for the message.

    Raises:
        UserError: the host cannot do it.
    """
    needs = exploration.coupling.needs
    name = type(host).__name__
    if needs.own_heads:
        give_heads(host, needs, where)
    if needs.component_scores:
        if not isinstance(host, HasComponentScores):
            message = f"host '{name}' has no scores for each component"
            raise UserError(message, *where)
        host.score_components(needs.component_scores)
