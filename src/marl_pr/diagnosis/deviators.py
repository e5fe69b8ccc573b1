"""How many agents deviate at once, and what follows from it for teams of other sizes."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from marl_core.evaluation.statistics import Interval, mean_interval
from marl_pr.diagnosis.games import Games
from marl_pr.theory.value_based import critical_team_size

#: Counts from here on are one row of the table.
MANY = 4
#: Below this share of steps an agent is hardly ever judged alone.
RARELY = 0.05


def shares_of_counts(games: Games) -> tuple[Interval, ...]:
    """The share of steps with 0, 1 ... ``MANY`` - 1, and with ``MANY`` or more deviators.

    Args:
        games: whose steps are counted, each game as much as any other.
    """
    count = games.deviates.sum(-1).clamp(max=MANY)
    kinds = torch.arange(
        MANY + 1,
        device=count.device,
    )
    is_kind = (count.unsqueeze(-1) == kinds) & games.valid.unsqueeze(-1)
    lengths = games.valid.sum(0).clamp(min=1).unsqueeze(-1)
    of_game: Float[Tensor, "E K"] = is_kind.sum(0) / lengths
    return tuple(_within_0_1(mean_interval(share)) for share in of_game.unbind(-1))


def _within_0_1(share: Interval) -> Interval:
    return Interval(share.mean, max(share.low, 0.0), min(share.high, 1.0))


@dataclass(frozen=True)
class Crowd:
    """How often an agent has the team to itself.

    Attributes:
        rate: d, how often an agent deviates.
        alone: how often none of the other agents deviates, as it was measured.
        expected: the same of independent agents that all deviate alike: (1 - d)^(N - 1).
        rarely_alone_from: the team size from which ``expected`` is below ``RARELY``; None: none is.
        trap_from: the team size from which a Lv-C's trap holds itself up at this rate, 1 - d below
            N^(-1/(N-1)) (Eq. 9, 20); None: no team of up to a million.
    """

    rate: float
    alone: float
    expected: float
    rarely_alone_from: int | None
    trap_from: int | None


def crowd_of(
    games: Games,
    actions: int,
) -> Crowd:
    """Measure how crowded the exploration of a team is.

    Args:
        games: played by independent individual policies.
        actions: n_k.
    """
    acting = games.acting.sum().clamp(min=1)
    rate = float(games.deviates.sum() / acting)
    alone = float(games.judged_alone.sum() / acting)
    agents = games.acting.shape[-1]
    # The epsilon whose agents would deviate as often.
    epsilon = rate * actions / (actions - 1)
    return Crowd(
        rate,
        alone,
        (1 - rate) ** (agents - 1),
        rarely_alone_from(rate),
        critical_team_size(epsilon, actions),
    )


def rarely_alone_from(
    rate: float,
    share: float = RARELY,
) -> int | None:
    """The smallest team in which (1 - d)^(N - 1) is below a share.

    Args:
        rate: d, how often an agent deviates.
        share: of the steps.

    Returns:
        None where agents never deviate.
    """
    if rate <= 0:
        return None
    if rate >= 1:
        return 2
    return 2 + math.floor(math.log(share) / math.log1p(-rate))
