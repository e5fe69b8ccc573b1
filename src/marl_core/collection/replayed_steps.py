"""Single steps out of kept episodes, as a rollout of pieces of one step."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from marl_core.types import Observation, Pieces, Progress, Rollout
from marl_core.types.rollout import has_steps

_NOW = "observations."
_AFTER = "last_observation."


class Places(NamedTuple):
    """Which steps of which episodes.

    Attributes:
        episode: the index of each one's episode.
        step: which step of it.
        is_last: whether the episode ends with it.
    """

    episode: Int[Tensor, "K"]
    step: Int[Tensor, "K"]
    is_last: Bool[Tensor, "K"]


def steps_at(
    places: Places,
    kept: Mapping[str, Tensor],
    table: Observation | None,
    progress: Progress,
) -> Rollout:
    """The steps at some places.

    Args:
        places: K of them.
        kept: the tensors of all episodes, ``[episodes, T, ...]`` or ``[episodes, ...]``, named as
            ``Rollout.tensors`` names them.
        table: the environment's table of distinct observations, where ``row`` is of it.
        progress: how far the run is.
    """
    found = {}
    for name, value in kept.items():
        if has_steps(name):
            found[name] = widened(value[places.episode, places.step]).unsqueeze(0)
        elif name.startswith(_AFTER):
            same = kept[_NOW + name.removeprefix(_AFTER)]
            found[name] = widened(_after(places, value, same))
    cut = ~places.is_last
    # To a learner, a step after which the task goes on is one at which it bootstraps.
    found["truncated"] = found["truncated"] | cut.unsqueeze(0)
    if "reward" not in found:
        team = found["team_reward"].unsqueeze(-1)
        found["reward"] = team.expand(found["actions"].shape[:3])
    rollout = Rollout.from_tensors(found, progress, table)
    return replace(rollout, pieces=Pieces(_earned(places, kept["team_reward"]), cut))


def _after(places: Places, ends: Tensor, steps: Tensor) -> Tensor:
    """What is seen after the steps: in the next one, or at the end."""
    following = (places.step + 1).clamp(max=steps.shape[1] - 1)
    seen = steps[places.episode, following]
    last = places.is_last.view(-1, *[1] * (seen.dim() - 1))
    return torch.where(last, ends[places.episode], seen)


def _earned(places: Places, reward: Float[Tensor, "episodes T"]) -> Float[Tensor, "K"]:
    """What the teams had gained before the steps."""
    earlier = torch.arange(reward.shape[1], device=reward.device)
    before = earlier < places.step.unsqueeze(-1)
    return (reward[places.episode] * before).sum(-1)


def widened(value: Tensor) -> Tensor:
    """Integers as ``int64``, whatever type they were stored in; other tensors as they are.

    Args:
        value: any.
    """
    narrow = (torch.uint8, torch.int16, torch.int32)
    return value.long() if value.dtype in narrow else value
