"""On a GPU: an ADCA step goes the same way as on a CPU, and asks the device nothing."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from marl_envs.adca import ADCA, ADCAConfig
from marl_envs.adca.battle import Battle
from tests.support.adca_battles import scattered
from tests.support.pretend_device import DEVICE, OnDevice, pretend_device

_GAMES = 4


def _battles(extent: float, fighters: int) -> Battle:
    """Random battles, in the precision in which battles are played."""
    found = scattered(3, fighters, extent, _GAMES)
    return found.map(lambda x: x.float() if x.is_floating_point() else x)


def _course(
    config: ADCAConfig, battles: Battle, device: torch.device | str, steps: int
) -> list[Tensor]:
    """All that is seen and gained, the battles at the end, and how battles begin."""
    generator = torch.Generator(device=device).manual_seed(7)
    arena = ADCA(config, games=_GAMES, device=device, generator=generator)
    arena.load_state_dict(dict(vars(battles)))
    shape = (_GAMES, config.agents)
    found: list[Tensor] = []
    for _ in range(steps):
        actions = torch.randint(7, shape, generator=generator, device=device)
        result = arena.step(actions)
        found += result.observation.tensors().values()
        found += [result.team_reward, result.terminated]
        found += [x for x in (result.individual_reward, result.won) if x is not None]
    found += arena.state_dict().values()
    found += arena.reset().tensors().values()
    return found


@pytest.mark.parametrize(
    ("extent", "guards", "attackers"),
    [(3.0, 50, 60), (0.7, 50, 60), (1.0, 13, 9), (0.3, 1, 1)],
)
def test_battles_go_as_on_a_cpu(extent: float, guards: int, attackers: int) -> None:
    config = ADCAConfig(agents=guards, attackers=attackers)
    battles = _battles(extent, guards + attackers)
    expected = _course(config, battles, "cpu", 2)
    with pretend_device():
        found = _course(config, battles, DEVICE, 2)
    assert len(found) == len(expected)
    for here, there in zip(expected, found, strict=True):
        assert isinstance(there, OnDevice)
        assert here.dtype == there.dtype
        assert torch.equal(here, there.held)


def test_shots_fall_in_these_battles() -> None:
    config = ADCAConfig(agents=50, attackers=60)
    battles = _battles(0.7, 110)
    arena = ADCA(config, games=_GAMES, device="cpu", generator=torch.Generator())
    arena.load_state_dict(dict(vars(battles)))
    arena.step(torch.zeros(_GAMES, 50, dtype=torch.int64))
    killed = battles.alive & ~arena.state_dict()["alive"]
    assert (killed.sum(1) > 10).all()


@pytest.mark.parametrize(
    "settings",
    [{}, {"shuffle_neighbours": False, "jam_probability": 0.0, "terrain": False}],
)
def test_the_host_waits_for_nothing(settings: dict[str, object]) -> None:
    config = ADCAConfig.model_validate({"agents": 50, "attackers": 60, **settings})
    with pretend_device() as waits:
        battles = _battles(1.0, 110).map(lambda x: x.to(DEVICE))
        # The first step makes tables, once for all.
        _course(config, battles, DEVICE, 1)
        waits.clear()
        _course(config, battles, DEVICE, 2)
        assert waits.places() == {}
