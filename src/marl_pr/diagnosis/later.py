"""Taking the noise of later lone deviations out of what came after a step."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor

from marl_pr.diagnosis.games import Games, ToGo
from marl_pr.diagnosis.lone import deviation_probability


def without_later_deviations(
    games: Games,
    to_go: ToGo,
) -> Float[Tensor, "T E"]:
    """The reward to go of the probe, less what is explained by its later draws.

    Where a lone deviation is worth much, those at later steps make most of the noise. Whether
    somebody is to deviate at step s is drawn apart from all that was before, with probability p. So

        G_t - sum over s > t of gamma^(s-t) b_s (I_s - p)

    has the same conditional means at step t as G_t, whatever b_s is, and the least variance about
    where b_s is the slope of G_s in I_s.

    Args:
        games: played by ``LoneDeviation``.
        to_go: how rewards are summed.
    """
    outcome = to_go.of(games.reward)
    chance = deviation_probability(games.deviates.shape[-1])
    surprise = ((games.component > 0).double() - chance) * games.valid
    played = games.valid.sum(1, keepdim=True).clamp(min=1)
    mean = (outcome * games.valid).sum(1, keepdim=True) / played
    slope = (surprise * (outcome - mean)).sum(1, keepdim=True)
    slope = slope / surprise.square().sum(1, keepdim=True).clamp(min=1e-9)
    explained = slope * surprise
    later = to_go.of(explained) - explained
    return outcome - later
