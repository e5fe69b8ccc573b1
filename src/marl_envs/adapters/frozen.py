"""Opponents that a run of this framework plays: its newest policy, which learns no more.

Their networks run in the process that trains, once for all games. Processes that play games get
the actions alone, so they need no torch.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Final, final

import numpy as np
import torch
from jaxtyping import Bool
from torch import Tensor, nn
from torch.nn.functional import pad

from marl_core.api.policy import Policy
from marl_core.config.module_folders import named_modules
from marl_core.config.run import RunConfig
from marl_core.construction import environment_spec
from marl_core.errors import Location, UserError
from marl_core.registry import is_code
from marl_core.run_state import RunState
from marl_core.runs.assembly import saved_state
from marl_core.runs.folder import RunFolder
from marl_core.runs.sources import note_changed_sources
from marl_core.types import EnvironmentSpec, Observation
from marl_envs.adapters.opponents_config import (
    AgainstOthers,
    OpponentConfig,
    known_by,
)
from marl_envs.adapters.rows import Layout, Rows

#: Runs that are kept in memory, so that an evaluation need not read them again.
_KEPT: Final = 8
_FEATURES: Final = "features of an observation"
_ACTIONS: Final = "actions"
_MASKS: Final = "masks of legal actions"
_NO_CHECKPOINT: Final = "there is no checkpoint yet"


@final
class FrozenTeam:
    """The policy of a run, which plays some agents in all games of an environment.

    Nothing is shared by its agents: resonance is removed, as in evaluation. A run of several teams
    plays the agents that it knows by name; the others are not there for it.

    Args:
        opponent: which run, and how it acts.
        layout: of the agents that it plays.
        generator: of the environment; what is drawn comes from it.

    Raises:
        UserError: there is no such run, or it has been trained on since.
    """

    def __init__(
        self,
        opponent: OpponentConfig,
        layout: Layout,
        generator: torch.Generator,
    ) -> None:
        _check_unchanged(opponent)
        checkpoint = known_by(str(opponent.folder))
        state = _state_of(
            opponent,
            checkpoint,
            generator.device,
        )
        self._policy = Policy(
            state,
            opponent.mode,
            draws=generator,
        )
        self._places = list(_places(state.config, state.spec, layout))
        self._device = generator.device

    def begin(self, games: Bool[Tensor, "E"] | None) -> None:
        """Forget what is remembered of games that are started anew.

        Args:
            games: which ones; None: all of them.
        """
        again = None if games is None else games.to(self._device)
        self._policy.begin(again)

    def act(self, rows: Rows) -> None:
        """Write what the agents do, in every game.

        Args:
            rows: what they see; their actions are written there.
        """
        actions = self._policy(self._observation(rows))
        rows.actions[:] = actions[:, self._places].cpu().numpy()

    def _observation(self, rows: Rows) -> Observation:
        """What the run's own environment would have given."""
        spec = self._policy.spec
        assert spec.features is not None, "seen to when the config was read"
        mask = None
        if spec.action_masks:
            mask = self._placed(rows.legal, spec.actions)
        alive = self._placed(rows.alive) if spec.agents_die else None
        return Observation(
            self._placed(rows.features, spec.features),
            action_mask=mask,
            alive=alive,
        )

    def _placed(self, values: np.ndarray, *width: int) -> Tensor:
        """Values at the places of the agents whose they are; zeros beside and after them."""
        given = torch.tensor(values, device=self._device)
        if width:
            given = pad(given, (0, width[0] - given.shape[-1]))
        shape = (len(given), self._policy.spec.agents, *width)
        placed = given.new_zeros(shape)
        placed[:, self._places] = given
        return placed


def check_fitting(opponent: OpponentConfig, layout: Layout, where: Location) -> None:
    """Refuse a run that has learnt to play other agents than those that it shall play.

    Args:
        opponent: which run.
        layout: of the agents that it shall play.
        where: the part of the config that says so, for the message.

    Raises:
        UserError: there is no such run, it has been trained on since, or it does not fit; what
            does not, what the run has, and what is needed.
    """
    try:
        _check_unchanged(opponent)
        config = _config_of(opponent)
        spec = environment_spec(config.environment)
        if not _folder_of(opponent).checkpoints.exist():
            raise UserError(f"{opponent.run}: {_NO_CHECKPOINT}")
    except UserError as error:
        raise UserError(str(error), *where) from error
    for what, has, needed in _compared(config, spec, layout):
        if has != needed:
            who = f"{layout.agents[0]} and the others like it"
            if len(layout.agents) == 1:
                who = layout.agents[0]
            message = f"{opponent.run} has learnt with {_said(has)} {what}"
            raise UserError(f"{message}, and {who} need {_said(needed)}", *where)


def _compared(
    config: RunConfig,
    spec: EnvironmentSpec,
    layout: Layout,
) -> tuple[tuple[str, object, object], ...]:
    """What has to be the same: its name, what the run has, and what the agents need.

    For a run of several teams its agents had zeros at the ends of what they saw, and illegal
    actions after their own.
    """
    box = None if spec.box is None else (spec.box.low, spec.box.high)
    own_box = None if layout.box is None else tuple(layout.box)
    places = _places(config, spec, layout)
    several = ("entities", spec.entities, None), ("box of actions", box, own_box)
    if len(places) < spec.agents:
        features, actions = spec.features or 0, spec.actions
        masks = spec.action_masks
        return (
            *several,
            (_FEATURES, features, max(features, layout.features)),
            (_ACTIONS, actions, max(actions, layout.actions)),
            (_MASKS, masks, masks or layout.masks),
        )
    return (
        ("agents", spec.agents, len(layout.agents)),
        (_FEATURES, spec.features, layout.features),
        (_ACTIONS, spec.actions, layout.actions),
        (_MASKS, spec.action_masks, layout.masks),
        *several,
    )


def _places(
    config: RunConfig,
    spec: EnvironmentSpec,
    layout: Layout,
) -> Sequence[int]:
    """Which of the run's agents play: all of them, or of several teams those of the same names."""
    environment = config.environment
    if spec.teams is not None and isinstance(environment, AgainstOthers):
        known = environment.layout().agents
        if set(layout.agents) <= set(known):
            return [known.index(name) for name in layout.agents]
    return range(spec.agents)


def _said(value: object) -> str:
    if value is None or value is False:
        return "no"
    return "some" if value is True else str(value)


def _check_unchanged(opponent: OpponentConfig) -> None:
    now = known_by(str(opponent.folder))
    if opponent.checkpoint not in (None, now) and now is not None:
        message = (
            f"{opponent.run}: its newest checkpoint is not the one that this run began against "
            f"({opponent.checkpoint}); where opponents are trained on, name a copy of their folder"
        )
        raise UserError(message)


def _folder_of(opponent: OpponentConfig) -> RunFolder:
    return RunFolder(opponent.folder, trust=opponent.trust)


def _config_of(opponent: OpponentConfig) -> RunConfig:
    """The run's config, without its own opponents: they may be gone, or be scripts that nobody
    trusts, and do not matter here.
    """
    folder = _folder_of(opponent)
    alone = _alone(folder.read_config())
    modules = named_modules(alone.model_dump(mode="json"))
    if any(is_code(f"{module}:") for module in modules):
        return _alone(folder.load_config())
    return alone


def _alone(config: RunConfig) -> RunConfig:
    environment = config.environment
    if not isinstance(environment, AgainstOthers):
        return config
    return config.model_copy(update={"environment": environment.alone()})


@lru_cache(maxsize=_KEPT)
def _state_of(
    opponent: OpponentConfig, checkpoint: str | None, device: torch.device
) -> RunState:
    """The run at its newest checkpoint. It is only read, so all who play by it may share it.

    Args:
        opponent: which run.
        checkpoint: what its newest checkpoint is known by: another one is read anew.
        device: where it computes.
    """
    folder = _folder_of(opponent)
    config = _config_of(opponent)
    note_changed_sources(folder)
    saved = folder.load_checkpoint()
    if saved is None:
        raise UserError(f"{opponent.run}: {_NO_CHECKPOINT}")
    state = saved_state(config, saved)
    for part in (state.host, state.exploration.individual):
        if isinstance(part, nn.Module):
            part.to(device)
    return state
