"""Updates of small runs on a device of one's choice."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from marl_core.config.run import RunConfig
from marl_core.learning import LearningContext
from marl_core.run_state import RunState
from marl_core.runs.assembly import first_state, next_stage
from marl_core.training.games import RankGames
from marl_core.training.optimizer import FlatAdam
from tests.support.host_waits import HostWaits


@dataclass
class Update:
    """What an update has led to, and what the host waited for.

    Attributes:
        played: the rollout's tensors, by name.
        learnt: what the host reports of its last loss, and its state afterwards, by name.
        steps: how many steps were played.
        passes: how many optimisation steps were taken.
        collecting: what was waited for while games were played, by kind.
        learning: what was waited for while the host learnt, by kind.
    """

    played: dict[str, Tensor]
    learnt: dict[str, Tensor]
    steps: int
    passes: int
    collecting: dict[str, int]
    learning: dict[str, int]


def last_update(
    data: dict[str, Any],
    device: torch.device | str = "cpu",
    waits: HostWaits | None = None,
    *,
    stage: int = 0,
    updates: int = 2,
) -> Update:
    """The last of some updates of a stage.

    After the first one tables are there, and a replay has something in it.
    """
    torch.set_num_threads(1)
    state = first_state(RunConfig.model_validate(data))
    for _ in range(stage):
        state = next_stage(state)
    assert isinstance(state.host, nn.Module)
    state.host.to(device)
    games = RankGames(state, 0, 1, torch.device(device))
    optimizer = FlatAdam(state.host.parameter_groups())
    counted = HostWaits() if waits is None else waits
    for _ in range(updates - 1):
        _update(state, games, optimizer, counted)
    return _update(state, games, optimizer, counted)


def _update(
    state: RunState, games: RankGames, optimizer: FlatAdam, waits: HostWaits
) -> Update:
    waits.clear()
    rollout = games.collect(state.host, state.exploration, state.progress)
    collecting = waits.kinds()
    waits.clear()
    recalled = next(games.recall(rollout), rollout)
    policy = state.exploration.individual
    losses = state.host.losses(recalled, policy, LearningContext())
    passes = 0
    learnt: dict[str, Any] = {}
    for loss in losses:
        optimizer.set_gradients(optimizer.gradients_of(loss.total))
        optimizer.step()
        passes += 1
        learnt = dict(loss.metrics)
    learning = waits.kinds()
    return Update(
        rollout.tensors(),
        {**learnt, **state.host.state_dict()},
        len(rollout.valid),
        passes,
        collecting,
        learning,
    )
