"""The law of a team of densities: what it draws is what it states."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from marl_core.densities.gaussian import GaussianDensities
from marl_core.densities.law import DensityLaw, RankLaw
from tests.support.gaussians import SEEDS, gaussians

SHARE = st.floats(0.01, 0.99)


def one_component(core: float, inside: float) -> RankLaw:
    return RankLaw(torch.tensor([core]), torch.tensor([inside]))


@given(SHARE, SHARE, st.lists(st.floats(0, 1, width=32), min_size=1, max_size=30))
def test_ranks_are_moved_in_order_to_their_law(
    core: float, inside: float, ranks: list[float]
) -> None:
    """The distribution function of the law at what a uniform rank is moved to is the rank."""
    law = one_component(core, inside)
    rank = torch.tensor([sorted(ranks)])
    moved = law.moved(rank, torch.zeros(1, dtype=torch.int64))
    below = moved * (inside / core)
    above = inside + (moved - core) * (1 - inside) / (1 - core)
    back = torch.where(moved < core, below, above)
    assert torch.allclose(back, rank, atol=1e-5 / min(1 - core, core))
    assert ((moved >= 0) & (moved <= 1)).all()


@given(SHARE, SHARE)
def test_the_density_of_ranks_integrates_to_one(core: float, inside: float) -> None:
    law = one_component(core, inside)
    first = torch.zeros(1, dtype=torch.int64)
    middles = torch.tensor([[core / 2, (1 + core) / 2]])
    heights = law.log_density(middles, first).exp()
    widths = torch.tensor([[core, 1 - core]])
    assert float((heights * widths).sum()) == pytest.approx(1, abs=1e-5)


def _team(numbers: int, games: int, *, squashed: bool) -> GaussianDensities:
    shape = (games, 2, numbers)
    generator = torch.Generator().manual_seed(numbers)
    mean = torch.randn(1, 2, numbers, generator=generator).expand(shape)
    spread = torch.full(shape, -0.7)
    ends = (torch.full((numbers,), -2.0), torch.full((numbers,), 3.0))
    return GaussianDensities(mean, spread, *ends, squashed)


@pytest.mark.parametrize("squashed", [False, True])
@pytest.mark.parametrize("numbers", [1, 2, 5])
def test_drawn_ranks_have_the_stated_law(numbers: int, *, squashed: bool) -> None:
    """Kolmogorov and Smirnov's distance; chance exceeds the bound once in 10^8 times (DKW)."""
    games = 60_000
    team = _team(numbers, games, squashed=squashed)
    core, inside = 0.3, 0.8
    law = DensityLaw(team, torch.ones(1), one_component(core, inside))
    component = torch.zeros(games, dtype=torch.int64)
    actions = law.draw(component, torch.Generator().manual_seed(3))
    rank = team.rank(actions)[:, 0].sort().values
    below = rank * (inside / core)
    above = inside + (rank - core) * (1 - inside) / (1 - core)
    uniform = torch.where(rank < core, below, above)
    expected = (torch.arange(games) + 0.5) / games
    distance = float((uniform - expected).abs().max())
    assert distance < math.sqrt(math.log(2e8) / (2 * games))


@settings(max_examples=30)
@given(gaussians(dtype=torch.float32), SEEDS)
def test_without_a_law_of_ranks_it_is_the_policies(
    policy: GaussianDensities, seed: int
) -> None:
    """A core that keeps its own mass is drawn from as the policy is, bit for bit."""
    games = policy.shape[0]
    component = torch.zeros(games, dtype=torch.int64)
    plain = DensityLaw(policy, torch.ones(1))
    kept = DensityLaw(policy, torch.ones(1), one_component(0.4, 0.4))
    drawn: list[Tensor] = []
    for law in (plain, kept):
        drawn.append(law.draw(component, torch.Generator().manual_seed(seed)))
        expected = policy.log_density(drawn[-1])
        assert torch.equal(law.agent_log_densities(drawn[-1], component), expected)
        assert torch.allclose(law.marginal_log_density(drawn[-1]), expected)
    assert torch.equal(*drawn)


@given(gaussians(dtype=torch.float32), SEEDS)
def test_a_greedy_team_takes_its_modes(policy: GaussianDensities, seed: int) -> None:
    law = DensityLaw.greedy(policy, torch.ones(1))
    component = torch.zeros(policy.shape[0], dtype=torch.int64)
    drawn = law.draw(component, torch.Generator().manual_seed(seed))
    assert torch.equal(drawn, policy.mode())


def test_a_law_of_each_game_is_stated_for_each_game() -> None:
    """Games may differ in cores, as where each has its own eta."""
    games = 2
    team = _team(1, games, squashed=False)
    core = torch.tensor([[0.1, 0.1], [0.6, 0.6]])
    ranks = RankLaw(core, torch.tensor([[0.1, 1.0], [0.6, 1.0]]))
    law = DensityLaw(team, torch.tensor([[0.5, 0.5], [0.2, 0.8]]), ranks)
    component = torch.ones(games, dtype=torch.int64)
    generator = torch.Generator().manual_seed(0)
    for _ in range(100):
        rank = team.rank(law.draw(component, generator))
        assert (rank <= core[:, :1] + 1e-5).all()


def test_there_are_no_rows() -> None:
    law = DensityLaw(_team(1, 2, squashed=False), torch.ones(1))
    row = torch.zeros(2, 2, dtype=torch.int64)
    with pytest.raises(ValueError, match="not in a table"):
        law.draw(torch.zeros(2, dtype=torch.int64), None, row)
