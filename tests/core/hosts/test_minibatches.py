"""What MAPPO's minibatches are drawn of."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from marl_core.hosts.mappo.config import MAPPOConfig
from marl_core.hosts.mappo.parts import Part, Parts
from marl_core.learning import SingleRank
from marl_core.types import Observation


def parts(steps: int, games: int, count: int) -> Parts:
    """Of two agents; every sample's action is its own number, and so is what was seen."""
    number = torch.arange(steps * games * 2).view(steps, games, 2)
    known = number.float()
    part = Part(number, torch.ones_like(known), known, known, known, known)
    return Parts(Observation(known.unsqueeze(-1)), part, count, 3, SingleRank())


@settings(max_examples=40, deadline=None)
@given(
    steps=st.integers(1, 5),
    games=st.integers(1, 6),
    count=st.integers(1, 8),
    single=st.booleans(),
)
def test_every_sample_is_in_one_part_with_what_was_seen(
    steps: int, games: int, count: int, single: bool
) -> None:
    whole = parts(steps, games, count)
    if single:
        whole = whole.of_single_steps()
    found = list(whole.of_epoch(0))
    things = steps * games if single else games
    assert len(found) == min(count, things)
    numbers = torch.cat([part.actions.flatten() for _, part in found])
    assert sorted(numbers.tolist()) == list(range(steps * games * 2))
    sizes = [part.actions.shape[1] for _, part in found]
    assert max(sizes) - min(sizes) <= 1
    for seen, part in found:
        assert seen.features is not None
        assert torch.equal(seen.features.squeeze(-1), part.actions.float())
        assert torch.equal(part.returns, part.actions.float())
        assert float(part.weights.sum()) == pytest.approx(1)


def test_parts_of_single_steps_are_of_several_games_and_change_with_the_epoch() -> None:
    steps = games = 8
    whole = parts(steps, games, games).of_single_steps()
    of_epochs = [
        [part.actions[0, :, 0] for _, part in whole.of_epoch(e)] for e in (0, 1)
    ]
    for part in of_epochs[0]:
        assert len(part) == steps
        assert len((part // 2 % games).unique()) > 1
    assert not all(map(torch.equal, *of_epochs))


def test_a_gru_learns_from_whole_games() -> None:
    MAPPOConfig(body="gru")
    MAPPOConfig(minibatches_of="steps")
    with pytest.raises(ValidationError, match="a gru learns from whole games"):
        MAPPOConfig(body="gru", minibatches_of="steps")
