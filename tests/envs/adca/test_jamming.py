"""What chance does to a guard's sight, compared with a plain version for one guard at a time."""

from __future__ import annotations

import math
from itertools import permutations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from marl_envs.adca.config import ADCAConfig
from marl_envs.adca.jamming import disturb
from tests.support.adca_battles import config, generator, seeds

GUARDS, GAMES, NOBODY = 4, 7, 40
BLOCK = 6


def _sightings(seed: int) -> Tensor:
    """Random sightings ``[entities, N, E]``: a few friends, a few enemies, and then nobody."""
    source = generator(seed)
    seen = torch.full((2 * BLOCK, GUARDS, GAMES), NOBODY, dtype=torch.int32)
    for guard in range(GUARDS):
        for game in range(GAMES):
            friends, enemies = torch.randint(BLOCK + 1, (2,), generator=source).tolist()
            drawn = torch.randperm(NOBODY, generator=source).int()
            seen[:friends, guard, game] = drawn[:friends]
            seen[BLOCK : BLOCK + enemies, guard, game] = drawn[-enemies:][:enemies]
    return seen


def _hidden(visible: int, draw: float, probability: float) -> int:
    """The number of hidden fighters, by the running sum of the binomial distribution."""
    total = 0.0
    for hidden in range(visible):
        ways = math.comb(visible, hidden)
        total += ways * probability**hidden * (1 - probability) ** (visible - hidden)
        if draw < torch.tensor(total).item():
            return hidden
    return visible


def _plain_block(
    block: list[int], draws: list[float], settings_: ADCAConfig
) -> list[int]:
    """One block as a guard sees it: shuffled, the last ones hidden, nobody at the end."""
    order_draw, jam_draw = draws
    there = [fighter for fighter in block if fighter != NOBODY]
    orders = list(permutations(range(len(there))))
    # The draw chooses one of 720 equal parts of [0, 1); orders take turns in them.
    part = int(torch.tensor(order_draw) * math.factorial(BLOCK))
    order = orders[part % len(orders)]
    left = len(there) - _hidden(len(there), jam_draw, settings_.jam_probability)
    if settings_.shuffle_neighbours:
        shown = [there[place] for place in order[:left]]
    else:
        shown = [
            fighter if order[place] < left else NOBODY
            for place, fighter in enumerate(there)
        ]
    return shown + [NOBODY] * (len(block) - len(shown))


@given(
    seed=seeds(),
    shuffle=st.booleans(),
    probability=st.sampled_from([0.0, 0.05, 0.5, 1.0]),
)
@settings(max_examples=40)
def test_guards_see_what_the_plain_version_says(
    seed: int, shuffle: bool, probability: float
) -> None:
    settings_ = config(shuffle_neighbours=shuffle, jam_probability=probability)
    seen = _sightings(seed)
    draws = torch.rand(GAMES, 2, 2, GUARDS, generator=generator(seed))
    shown = disturb(seen, draws, NOBODY, settings_)
    assert shown.shape == (GAMES, GUARDS, 2 * BLOCK)
    for game in range(GAMES):
        for guard in range(GUARDS):
            oneself, *friends = seen[:BLOCK, guard, game].tolist()
            enemies = seen[BLOCK:, guard, game].tolist()
            own_draws = draws[game, :, :, guard].tolist()
            wanted = [
                oneself,
                *_plain_block(friends, own_draws[0], settings_),
                *_plain_block(enemies, own_draws[1], settings_),
            ]
            assert shown[game, guard].tolist() == wanted


@pytest.mark.parametrize("shuffle", [True, False])
def test_the_guard_itself_is_never_hidden(shuffle: bool) -> None:
    settings_ = config(shuffle_neighbours=shuffle, jam_probability=1.0)
    seen = _sightings(0)
    draws = torch.rand(GAMES, 2, 2, GUARDS, generator=generator(0))
    shown = disturb(seen, draws, NOBODY, settings_)
    assert torch.equal(shown[:, :, 0], seen[0].T)
    assert (shown[:, :, 1:] == NOBODY).all()
