"""Whether the games of an environment influence each other."""

from __future__ import annotations

import torch
from torch import Tensor

from marl_core.collection.episodes import games_of
from marl_core.protocols import Environment
from marl_core.testing.checking import SIGMAS, same
from marl_core.testing.play import EnvironmentCase, write_out
from marl_core.types import Observation

#: How many games are played.
_GAMES = 200
#: At most this number of steps is played.
_STEPS = 20


def games_do_not_influence_each_other(case: EnvironmentCase) -> None:
    """What is done in some games does not change the rewards of the others.

    It may at most change which of the generator's numbers they get.

    Args:
        case: the environment to check.
    """
    quiet = _rewards_beside(case, 0)
    for others in sorted({1, case.build(1, 0).spec.actions - 1}):
        loud = _rewards_beside(case, others)
        if same(quiet, loud):
            continue
        error = (quiet.var(1) + loud.var(1)).div(quiet.shape[1]).sqrt()
        off = (quiet.mean(1) - loud.mean(1)).abs()
        assert (off <= SIGMAS * error + 1e-6).all(), (
            "a game's rewards depend on what is done in the other games"
        )


def _rewards_beside(case: EnvironmentCase, others: int) -> Tensor:
    """Half of the games' rewards, ``[T, E / 2]``; in the other half, agents prefer ``others``."""
    environment = case.build(_GAMES, 5)
    mine = torch.arange(_GAMES, device=case.device) < _GAMES // 2
    seen = environment.reset()
    on = torch.ones_like(mine)
    earned = []
    for step in range(min(environment.spec.max_steps, _STEPS)):
        own = _choose(environment, seen, step)
        actions = torch.where(
            mine.unsqueeze(-1),
            own,
            _choose(environment, seen, others),
        )
        result = environment.step(actions)
        earned.append(
            torch.where(
                on,
                result.team_reward,
                0.0,
            )[mine]
        )
        on = on & ~result.ended
        seen = result.observation
    return torch.stack(earned)


def _choose(
    environment: Environment,
    seen: Observation,
    preferred: int,
) -> Tensor:
    """The legal action that comes first, counted from the preferred one on."""
    spec = environment.spec
    device = next(iter(seen.tensors().values())).device
    rank = (
        torch.arange(
            spec.actions,
            device=device,
        )
        - preferred
    ) % spec.actions
    rank = rank.expand(
        games_of(seen),
        spec.agents,
        -1,
    )
    legal = write_out(environment, seen).legal_actions()
    if legal is not None:
        rank = torch.where(
            legal,
            rank,
            spec.actions,
        )
    return rank.argmin(-1)
