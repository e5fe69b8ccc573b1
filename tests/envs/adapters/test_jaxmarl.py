"""Environments of JaxMARL."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
import torch

from marl_core.errors import UserError
from marl_core.testing.environments import ENVIRONMENT_CHECKS
from marl_core.testing.play import EnvironmentCase
from marl_envs.adapters.batched.jaxmarl import JaxMARL
from marl_envs.adapters.batched.jaxmarl_config import JaxMARLConfig

jax = pytest.importorskip("jax", reason="an extra of the package")
jaxmarl = pytest.importorskip("jaxmarl", reason="an extra of the package")

SPREAD = JaxMARLConfig(id="MPE_simple_spread_v3", max_steps=8)
#: Of unlike agents.
SPEAKER = JaxMARLConfig(id="MPE_simple_speaker_listener_v4", state="joined")
BATTLE = JaxMARLConfig(
    id="HeuristicEnemySMAX",
    kwargs={"scenario": "3m"},
    state="own",
    reward="team",
    won_reward=1.0,
)


def made(config: JaxMARLConfig, games: int, seed: int = 0) -> JaxMARL:
    generator = torch.Generator().manual_seed(seed)
    return JaxMARL(config, games=games, device="cpu", generator=generator)


@pytest.mark.slow
@pytest.mark.parametrize("config", [SPREAD, SPEAKER, BATTLE], ids=lambda one: one.id)
@pytest.mark.parametrize("check", ENVIRONMENT_CHECKS)
def test_it_keeps_the_rules(check: str, config: JaxMARLConfig) -> None:
    ENVIRONMENT_CHECKS[check](EnvironmentCase(partial(JaxMARL, config), "cpu"))


def test_games_are_the_bare_games() -> None:
    """Each by itself, from its seed to its end."""
    games = 3
    environment = made(JaxMARLConfig(id="MPE_simple_spread_v3"), games, seed=3)
    bare = jaxmarl.make("MPE_simple_spread_v3")
    seeds = torch.randint(2**31, (games,), generator=torch.Generator().manual_seed(3))
    seen = environment.reset().features
    actions = torch.randint(
        5, (25, games, 3), generator=torch.Generator().manual_seed(0)
    )
    key, own = jax.random.split(jax.random.PRNGKey(int(seeds[1])))
    observation, state = bare.reset(own)
    for step in range(25):
        assert seen is not None
        for index, agent in enumerate(bare.agents):
            assert seen[1, index].tolist() == pytest.approx(observation[agent].tolist())
        result = environment.step(actions[step])
        key, own = jax.random.split(key)
        chosen = {
            agent: int(actions[step, 1, index])
            for index, agent in enumerate(bare.agents)
        }
        observation, state, rewards, dones, _ = bare.step_env(own, state, chosen)
        assert result.individual_reward is not None
        expected = [float(rewards[agent]) for agent in bare.agents]
        assert result.individual_reward[1].tolist() == pytest.approx(expected)
        # JaxMARL ends these games a step after its own limit.
        assert bool(result.ended[1]) == (step == 24)
        assert not dones["__all__"]
        assert not result.terminated.any()
        seen = result.observation.features


def test_a_step_is_compiled_once() -> None:
    """Whatever came before it, because compiling takes up to a minute."""
    # No other test has these programs.
    config = JaxMARLConfig(id="MPE_simple_spread_v3", kwargs={"num_agents": 2})
    environment = made(config, 2)
    actions = torch.zeros(2, 2, dtype=torch.int64)
    for again in (None, torch.tensor([True, False])):
        environment.reset(again)
        environment.step(actions)
        environment.step(actions)
    assert config.program().step._cache_size() == 1


@pytest.mark.slow
def test_a_won_battle_is_told() -> None:
    """Marines who stand and shoot win some battles; a won one has ended with a reward of 1."""
    environment = made(BATTLE, 32)
    observation = environment.reset()
    won = torch.zeros(32, dtype=torch.bool)
    for _ in range(environment.spec.max_steps):
        mask = observation.legal_actions()
        assert mask is not None
        # The last legal action: an attack wherever one is possible.
        actions = mask.shape[-1] - 1 - mask.flip(-1).int().argmax(-1)
        result = environment.step(actions)
        assert result.won is not None
        assert (result.terminated | ~result.won).all()
        won |= result.won
        observation = result.observation
    assert 0 < won.sum() < 32


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"id": "no_such"}, "no_such' cannot be made"),
        (
            {"id": "HeuristicEnemySMAX", "kwargs": {"scenario": "4x"}},
            "no scenario '4x'",
        ),
        (
            {"id": "MPE_simple_spread_v3", "state": "own"},
            "no global state of its own",
        ),
        (
            {"id": "MPE_simple_facmac_v1"},
            "acts in a Box: only Discrete can be learnt here",
        ),
    ],
)
def test_a_mistake_gets_one_line(config: dict[str, Any], said: str) -> None:
    with pytest.raises(UserError, match=said) as caught:
        JaxMARLConfig(**config).spec()
    assert "\n" not in str(caught.value)
