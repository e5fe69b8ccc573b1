"""Whether the games of an environment influence each other."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor

from marl_core.protocols import Environment
from marl_core.testing.alike import POINTS, Course, difference, follow, preferring
from marl_core.testing.play import EnvironmentCase
from marl_core.types import Observation

#: How many games are played.
_GAMES = 200
#: At most this number of actions is preferred by the others, and the last.
_ACTIONS = 4
#: At most this number of steps is played.
_STEPS = 20


def games_do_not_influence_each_other(case: EnvironmentCase) -> None:
    """What is done in some games does not change what the others give: rewards, observations, ends.

    It may at most change which of the generator's numbers they get.

    Why:
        Gradients take games for independent samples.

    Broken by:
        Normalising over the batch, ``roll`` or a wrong axis, one simulator for all games.

    Args:
        case: the environment to check.
    """
    quiet = _course_beside(case, 0)
    spec = case.build(1, 0).spec
    last = (spec.actions if spec.box is None else POINTS) - 1
    for others in sorted({*range(1, min(last, _ACTIONS) + 1), last}):
        found = difference(quiet, _course_beside(case, others))
        assert found is None, (
            f"a game's {found} depends on what is done in the other games"
        )


def _course_beside(case: EnvironmentCase, others: int) -> Course:
    """What every second game gives, while the agents of those between them prefer ``others``."""
    environment = case.build(_GAMES, 5)
    mine = torch.arange(_GAMES, device=case.device) % 2 == 0

    def choose(
        environment: Environment, seen: Observation, number: int
    ) -> Int[Tensor, "E N"] | Float[Tensor, "E N D"]:
        own = preferring(environment, seen, number)
        return torch.where(
            mine.view(-1, *[1] * (own.dim() - 1)),
            own,
            preferring(environment, seen, others),
        )

    return follow(environment, environment.reset(), choose, mine, _STEPS)
