"""Rollouts with junk where nothing may be learnt."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import torch
from jaxtyping import Bool
from torch import Tensor

from marl_core.types import Memory, Observation, Rollout

#: What is seen and not a number of its own meaning.
_MASKS = ("action_mask", "entity_mask", "alive")
#: A reward that no learner overlooks.
_REWARD = 100.0


def in_the_padding(rollout: Rollout) -> Rollout:
    """The rollout with junk after the ends of its games, in all that there is.

    Args:
        rollout: with games of different lengths.
    """
    generator = _generator()
    where = ~rollout.valid
    junk = torch.where(where, _REWARD, 0.0)
    flip = where & _coins(where, generator)
    return replace(
        rollout,
        observations=_observation(rollout, rollout.observations, where, generator),
        actions=_actions(rollout, where.unsqueeze(-1), generator),
        reward=rollout.reward + junk.unsqueeze(-1),
        team_reward=rollout.team_reward + junk,
        terminated=rollout.terminated ^ flip,
        truncated=rollout.truncated ^ (where & ~flip),
        memory=_memory(rollout.memory, where, generator),
    )


def after_the_end(rollout: Rollout) -> Rollout:
    """The rollout with junk in what is seen and remembered after the last steps of its games.

    Args:
        rollout: whole episodes.
    """
    generator = _generator()
    everywhere = torch.ones_like(rollout.valid[0])
    last = rollout.last_observation
    return replace(
        rollout,
        last_observation=_observation(rollout, last, everywhere, generator),
        last_memory=_memory(rollout.last_memory, everywhere, generator),
    )


def with_ends(rollout: Rollout, *, terminated: bool) -> Rollout:
    """The rollout with one way of ending for all games.

    Args:
        rollout: whole episodes.
        terminated: whether they terminate, or else are truncated.
    """
    ended = rollout.ended & rollout.valid
    nowhere = torch.zeros_like(ended)
    return replace(
        rollout,
        terminated=ended if terminated else nowhere,
        truncated=nowhere if terminated else ended,
    )


def with_the_dead(rollout: Rollout) -> tuple[Rollout, Bool[Tensor, "E N"]]:
    """The rollout in which one agent of every second game is dead from the beginning.

    Every action is legal: a mask alone does not keep a learner from the dead.

    Args:
        rollout: without a table.

    Returns:
        It, and who is dead.
    """
    _, games, agents = rollout.actions.shape
    device = rollout.actions.device
    game = torch.arange(games, device=device).unsqueeze(-1)
    agent = torch.arange(agents, device=device)
    dead = (game % 2 == 0) & (game // 2 % agents == agent)
    seen = [
        replace(one, alive=_living(one, dead), action_mask=None)
        for one in (rollout.observations, rollout.last_observation)
    ]
    before, last = seen
    actions = rollout.actions.masked_fill(dead, 0)
    died = replace(rollout, observations=before, last_observation=last, actions=actions)
    return died, dead


def among_the_dead(rollout: Rollout, dead: Bool[Tensor, "E N"]) -> Rollout:
    """The rollout with junk in what the dead see, do and earn.

    Args:
        rollout: with agents that are dead from the beginning.
        dead: who they are.
    """
    generator = _generator()
    seen = rollout.observations
    changed = {}
    for name in ("features", "entities"):
        value = getattr(seen, name)
        if value is not None:
            where = _to_dim(dead, value.dim() - 1).unsqueeze(0)
            changed[name] = torch.where(where, _numbers(value, generator), value)
    everywhere = dead.expand_as(rollout.actions)
    return replace(
        rollout,
        observations=replace(seen, **changed),
        actions=_actions(rollout, everywhere, generator),
        reward=rollout.reward + _REWARD * dead,
    )


def _living(seen: Observation, dead: Bool[Tensor, "E N"]) -> Tensor:
    assert seen.alive is not None, "agents die, so it is known who lives"
    return seen.alive & ~dead


def _generator() -> torch.Generator:
    return torch.Generator().manual_seed(11)


def _numbers(like: Tensor, generator: torch.Generator) -> Tensor:
    """Random numbers; the generator is the CPU's, so that they are the same on any device."""
    return (2 * torch.randn(like.shape, generator=generator)).to(like)


def _coins(like: Tensor, generator: torch.Generator) -> Tensor:
    return (torch.rand(like.shape, generator=generator) < 0.5).to(like.device)


def _to_dim(where: Tensor, dim: int) -> Tensor:
    return where.view(*where.shape, *[1] * (dim - where.dim()))


def _observation(
    rollout: Rollout,
    seen: Observation,
    where: Tensor,
    generator: torch.Generator,
) -> Observation:
    changed = {}
    for name, value in seen.tensors().items():
        if name in _MASKS:
            junk = torch.ones_like(value)
        elif value.is_floating_point():
            junk = _numbers(value, generator)
        elif name == "row" and rollout.table is not None:
            junk = _rows(rollout.table, value, generator)
        else:
            continue
        changed[name] = torch.where(_to_dim(where, value.dim()), junk, value)
    return replace(seen, **changed)


def _rows(table: Observation, row: Tensor, generator: torch.Generator) -> Tensor:
    """Other rows of the table, the same for all agents of a game."""
    count = len(next(iter(table.tensors().values())))
    drawn = torch.randint(count, row[..., :1].shape, generator=generator)
    return drawn.to(row).expand_as(row)


def _actions(rollout: Rollout, where: Tensor, generator: torch.Generator) -> Tensor:
    most = int(rollout.actions.max()) + 1
    drawn = torch.randint(most, rollout.actions.shape, generator=generator)
    return torch.where(where, drawn.to(rollout.actions), rollout.actions)


def _memory(
    memory: Memory | None, where: Tensor, generator: torch.Generator
) -> Memory | None:
    if memory is None:
        return None
    return _junk_in(memory, where, generator)


def _junk_in(
    memory: Mapping[str, Tensor], where: Tensor, generator: torch.Generator
) -> Memory:
    changed = {}
    for name, value in memory.items():
        if value.is_floating_point():
            junk = _numbers(value, generator)
            value = torch.where(_to_dim(where, value.dim()), junk, value)
        changed[name] = value
    return changed
