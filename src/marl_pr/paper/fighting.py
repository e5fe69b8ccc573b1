"""How a team fights in ADCA: what its guards do, how often they strike, how many it loses."""

from __future__ import annotations

from typing import Final

import torch
from jaxtyping import Bool
from torch import Tensor

from marl_core.collection.collector import Collector
from marl_core.construction import build_environment
from marl_core.evaluation.evaluate import Mode, uncoupled
from marl_core.rng import generator
from marl_core.run_state import RunState
from marl_core.types import NO_OP, Rollout

#: Battles that are looked at in each mode.
BATTLES: Final = 48
#: What all guards get of a win, with the last step.
_WIN: Final = 3.0
#: Action 0 does nothing, 1 to 4 drive, 5 and 6 turn.
_DRIVES: Final = (1, 2, 3, 4)


def fighting(state: RunState, mode: Mode, battles: int = BATTLES) -> dict[str, float]:
    """What a team does in test battles, as means over them.

    Args:
        state: a run in ADCA, as it is now.
        mode: how the team acts.
        battles: how many are fought.

    Returns:
        ``lost``: guards that die in a battle. ``strikes``: how often guards hit somebody in a
        battle. ``strikers``: the share of the guards who strike at all in a battle. ``steps`` of a
        battle. ``idle``, ``drive``, ``turn``: shares of what living guards do. ``roles``: the
        standard deviation over the guards of their own shares of standing idle.
    """
    rollout = battles_of(state, mode, battles)
    acting = rollout.acting
    struck = _strikes(rollout) & acting
    idle = (rollout.actions == NO_OP) & acting
    drive = torch.isin(rollout.actions, torch.tensor(_DRIVES)) & acting
    samples = acting.sum()
    alive = rollout.last_observation.alive
    assert alive is not None, "guards die in ADCA"
    own_idle = idle.sum((0, 1)) / acting.sum((0, 1))
    means = {
        "lost": (~alive).sum(-1).float().mean(),
        "strikes": struck.sum((0, 2)).float().mean(),
        "strikers": struck.any(0).float().mean(),
        "steps": rollout.valid.sum(0).float().mean(),
        "idle": idle.sum() / samples,
        "drive": drive.sum() / samples,
        "turn": (samples - idle.sum() - drive.sum()) / samples,
        "roles": own_idle.std(),
    }
    return {name: float(value) for name, value in means.items()}


def battles_of(state: RunState, mode: Mode, battles: int) -> Rollout:
    """Test battles of a team, the same whenever they are asked for.

    Args:
        state: a run in ADCA, as it is now.
        mode: how the team acts.
        battles: how many are fought.
    """
    config = state.config
    play, act = (
        generator("cpu", config.seed, "fighting", mode, part)
        for part in ("play", "act")
    )
    environment = build_environment(
        config.environment, games=battles, device="cpu", generator=play
    )
    policy = state.exploration.individual
    collector = Collector(environment, act)
    return collector.collect(state.host, uncoupled(policy, mode), state.progress)


def _strikes(rollout: Rollout) -> Bool[Tensor, "T E N"]:
    """Which guards hit somebody in which step, read off their rewards.

    A strike earns 1, and being hit costs a half.
    """
    assert rollout.won is not None, "battles of ADCA are won or lost"
    won = (rollout.won & rollout.valid).unsqueeze(-1)
    return rollout.reward - _WIN * won > 0
