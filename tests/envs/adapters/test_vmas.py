"""Scenarios of VMAS."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor

from marl_core.errors import UserError
from marl_core.testing.environments import ENVIRONMENT_CHECKS
from marl_core.testing.play import EnvironmentCase
from marl_envs.adapters.batched.vmas import VMAS, VMASConfig

vmas = pytest.importorskip("vmas", reason="an extra of the package")

#: Agents who see unlike much.
UNLIKE = VMASConfig(id="simple_tag", max_steps=5, state="joined")
SCENARIOS = [
    pytest.param(UNLIKE, id="unlike agents"),
    pytest.param(
        VMASConfig(id="balance", max_steps=12), id="own rewards", marks=pytest.mark.slow
    ),
    pytest.param(
        VMASConfig(id="dispersion", kwargs={"n_agents": 3}, max_steps=5, reward="team"),
        id="team reward",
        marks=pytest.mark.slow,
    ),
]


def made(config: VMASConfig, games: int, seed: int = 0) -> VMAS:
    generator = torch.Generator().manual_seed(seed)
    return VMAS(config, games=games, device="cpu", generator=generator)


@pytest.mark.parametrize("config", SCENARIOS)
@pytest.mark.parametrize("check", ENVIRONMENT_CHECKS)
def test_it_keeps_the_rules(check: str, config: VMASConfig) -> None:
    ENVIRONMENT_CHECKS[check](EnvironmentCase(partial(VMAS, config), "cpu"))


def _actions(environment: VMAS, games: int, generator: torch.Generator) -> Tensor:
    spec = environment.spec
    shape = (games, spec.agents)
    return torch.randint(spec.actions, shape, generator=generator)


@pytest.mark.parametrize("scenario", ["balance", "navigation", "football"])
def test_games_are_the_bare_games(scenario: str) -> None:
    """Until they end, by the goal or by the limit; one after the other, so that neither draws from
    where the other stands.
    """
    games, limit = 8, 10
    environment = made(VMASConfig(id=scenario, max_steps=limit), games, seed=3)
    draw = torch.Generator().manual_seed(0)
    seen = [environment.reset()]
    chosen, results = [], []
    for _ in range(limit):
        chosen.append(_actions(environment, games, draw))
        results.append(environment.step(chosen[-1]))
        seen.append(results[-1].observation)

    seeds = torch.randint(2**31, (games,), generator=torch.Generator().manual_seed(3))
    bare = vmas.make_env(scenario, num_envs=games, continuous_actions=False)
    expected = bare.reset(seed=int(seeds[0]))
    for step, (actions, result) in enumerate(zip(chosen, results, strict=True)):
        features = seen[step].features
        assert features is not None
        assert torch.equal(features, torch.stack(expected, 1))
        given = list(actions.unsqueeze(-1).unbind(1))
        expected, rewards, done, _ = bare.step(given)
        assert result.individual_reward is not None
        on = result.terminated.logical_not() | done
        assert torch.equal(result.individual_reward[on], torch.stack(rewards, 1)[on])
        assert torch.equal(result.truncated, (step + 1 == limit) & ~result.terminated)


def test_environments_do_not_draw_from_each_other() -> None:
    """VMAS keeps one state of randomness for a whole process; the opponents of football draw in
    every step.
    """

    def played(disturbed: bool) -> list[Any]:
        environment = made(VMASConfig(id="football"), 3)
        other = made(VMASConfig(id="football"), 2, seed=9)
        other.reset()
        draw = torch.Generator().manual_seed(0)
        seen = []
        observation = environment.reset()
        for _ in range(6):
            assert observation.features is not None
            seen.append(observation.features.tolist())
            if disturbed:
                other.step(torch.zeros(2, other.spec.agents, dtype=torch.int64))
                torch.rand(3)
            result = environment.step(_actions(environment, 3, draw))
            observation = result.observation
        return seen

    assert played(disturbed=False) == played(disturbed=True)


def test_vmas_is_left_as_it_was() -> None:
    """Somebody else's environments of VMAS in the same process draw what they would have drawn."""
    shared = vmas.simulator.environment.Environment.vmas_random_state
    before = shared[0].clone()
    environment = made(VMASConfig(id="discovery"), 2)
    environment.reset()
    environment.step(torch.zeros(2, environment.spec.agents, dtype=torch.int64))
    assert torch.equal(shared[0], before)


def test_a_reset_of_some_games_leaves_the_others_alone() -> None:
    environment = made(VMASConfig(id="navigation"), 4)
    before = environment.reset().features
    again = torch.tensor([False, True, False, False])
    after = environment.reset(again).features
    assert before is not None
    assert after is not None
    assert torch.equal(before[~again], after[~again])
    assert not torch.equal(before[again], after[again])


def test_agents_who_have_fewer_actions_have_a_mask() -> None:
    environment = made(VMASConfig(id="simple_speaker_listener"), 2)
    legal = environment.reset().action_mask
    assert legal is not None
    assert legal.sum(-1).unique().numel() == 2


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"id": "no_such"}, "no_such' cannot be made"),
        ({"id": "../balance"}, "is no scenario's name"),
        ({"id": "balance", "kwargs": {"n_agent": 4}}, "n_agent"),
        ({"id": "balance", "kwargs": {"num_envs": 4}}, "kwargs cannot set num_envs"),
        ({"id": "balance", "state": "own"}, "no global state of its own"),
    ],
)
def test_a_mistake_gets_one_line(config: dict[str, Any], said: str) -> None:
    with pytest.raises(UserError, match=said) as caught:
        VMASConfig(**config).spec()
    assert "\n" not in str(caught.value)
