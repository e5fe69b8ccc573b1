"""Who takes which place, so that the sum of distances is nearly the least.

All squads of all battles are assigned at once.

The authors' script solves each assignment exactly, one after the other. Here, members and places
are first paired in order from right to left, as seen on the way from the members' centre to the
places'
centre: so no two paths cross when seen from afar. Then pairs of members exchange their places as
    long
as both together gain. The exchanges go in rounds, and in a round everybody has one partner, so that
a round is a dozen operations on all members of all battles.

``docs/environments/adca.md`` says how near this comes to the optimum.
"""

from __future__ import annotations

from functools import cache

import torch
from jaxtyping import Float, Int
from torch import Tensor

from marl_envs.adca.opponent.groups import Groups

#: A gain must be more than this, so that rounding does not look like one.
LEAST_GAIN = 1e-6


@cache
def neighbours(
    ranks: int,
    distances: tuple[int, ...],
    device: torch.device,
) -> Int[Tensor, "rounds ranks"]:
    """Rounds in which ranks r and r + d are partners, two for each distance d.

    In the first round of a distance, ranks in even blocks of d ranks have the partner above them;
    in the second round, those in odd blocks have.

    Args:
        ranks: the number of ranks.
        distances: between partners, one after the other.
        device: where the table is kept.

    Returns:
        The rank of everybody's partner; it may not exist, and is negative then or too large.
    """
    rank = torch.arange(ranks, device=device)
    rounds: list[Tensor] = []
    for distance in distances:
        block = rank // distance
        for odd in (0, 1):
            upwards = (block + odd) % 2 == 0
            rounds.append(
                torch.where(
                    upwards,
                    rank + distance,
                    rank - distance,
                )
            )
    return torch.stack(rounds)


@cache
def tournament(
    ranks: int,
    device: torch.device,
) -> Int[Tensor, "rounds ranks"]:
    """Rounds in which every pair of ranks meets once, by the circle method.

    Args:
        ranks: the number of ranks. If it is odd, one rank has no partner in each round: its partner
            has the number ``ranks``, which does not exist.
        device: where the table is kept.

    Returns:
        The rank of everybody's partner.
    """
    last = ranks - 1 + ranks % 2
    rank = torch.arange(last, device=device)
    turn = torch.arange(last, device=device).unsqueeze(-1)
    opposite = (turn - rank) % max(last, 1)
    # Whoever would meet itself meets the last rank, which does not move on the circle.
    meets_last = opposite == rank
    of_last = meets_last.int().argmax(-1, keepdim=True)
    of_others = torch.where(meets_last, last, opposite)
    met = torch.cat([of_others, of_last], dim=-1)
    return met[:, :ranks]


def partners(
    groups: Groups,
    by_rank: Int[Tensor, "rounds ranks"],
) -> Int[Tensor, "rounds E M"]:
    """Everybody's partner in each round; oneself where the group has no member of that rank.

    Args:
        groups: of the members.
        by_rank: the rank of the partner of each rank, in each round.
    """
    games, members = groups.rank.shape
    met = torch.where(by_rank < 0, members, by_rank)
    rank = met.index_select(1, groups.rank.flatten()).view(-1, games, members)
    # 1 and 0 as numbers: ``where`` would branch.
    exists = torch.lt(
        rank,
        groups.size,
        out=torch.empty_like(rank),
    )
    oneself = groups.start + groups.rank
    return torch.addcmul(oneself, rank - groups.rank, exists)


def exchange(
    members: Float[Tensor, "E 2 M"],
    places: Float[Tensor, "E 2 M"],
    rounds: Int[Tensor, "rounds E M"],
    times: int,
) -> Float[Tensor, "E 2 M"]:
    """Exchange places between partners where that shortens the sum of their distances.

    Args:
        members: in the order of their groups.
        places: the place that each member has at first.
        rounds: everybody's partner in each round; partners are each other's, and nobody's partner
            is oneself.
        times: how often all rounds are gone through.

    Returns:
        The place that each member has at the end.
    """
    own = _distance(members, places)
    both_coordinates = rounds.unsqueeze(2).expand(-1, -1, 2, -1)
    partner_of_each = rounds.unbind(0) * times
    place_of_each = both_coordinates.unbind(0) * times
    for partner, place in zip(partner_of_each, place_of_each, strict=True):
        theirs = places.gather(2, place)
        other = _distance(members, theirs)
        gain = own - other
        together = gain + gain.gather(1, partner)
        # 1 where both together gain, else 0: at these weights lerp chooses exactly, without a
        # branch.
        gains = together.gt_(LEAST_GAIN)
        places = torch.lerp(places, theirs, gains.unsqueeze(1))
        own = torch.lerp(own, other, gains)
    return places


def _distance(
    members: Float[Tensor, "E 2 M"],
    places: Float[Tensor, "E 2 M"],
) -> Float[Tensor, "E M"]:
    across, along = (members - places).unbind(1)
    return torch.hypot(across, along)
