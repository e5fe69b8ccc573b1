"""Environments of Gymnasium for a team: level-based foraging."""

from __future__ import annotations

from functools import partial
from typing import Any, cast

import gymnasium
import pytest
import torch
from gymnasium import spaces

from marl_core.base_config import validate_strictly
from marl_core.config.run import RunConfig
from marl_core.errors import UserError
from marl_core.testing.environments import ENVIRONMENT_CHECKS
from marl_core.testing.play import EnvironmentCase
from marl_core.training.stages import check
from marl_envs.adapters.config import GymnasiumConfig
from marl_envs.adapters.environment import GymnasiumTeam

FORAGING = "lbforaging:Foraging-5x5-2p-1f-v3"
#: A reset of lbforaging 2.0.0 leaves traces of the game before.
CONFIG = GymnasiumConfig(id=FORAGING, rebuild=True)


@pytest.mark.parametrize("check", ENVIRONMENT_CHECKS)
def test_it_keeps_the_rules(check: str) -> None:
    ENVIRONMENT_CHECKS[check](EnvironmentCase(partial(GymnasiumTeam, CONFIG), "cpu"))


def test_a_game_is_the_bare_game() -> None:
    """Until it ends, by food or by time."""
    seed = 5
    generator = torch.Generator().manual_seed(seed)
    environment = GymnasiumTeam(CONFIG, games=1, device="cpu", generator=generator)
    assert environment.spec.max_steps == 50
    choice = torch.Generator().manual_seed(0)
    for _ in range(3):
        kept = torch.Generator()
        kept.set_state(generator.get_state())
        observation = environment.reset()
        bare = gymnasium.make(FORAGING, disable_env_checker=True)
        seen, _ = bare.reset(seed=int(torch.randint(2**31, (1,), generator=kept)))
        ended = False
        while not ended:
            assert observation.features is not None
            assert observation.features[0].tolist() == [list(one) for one in seen]
            actions = torch.randint(6, (1, 2), generator=choice)
            result = environment.step(actions)
            seen, rewards, over, cut, _ = bare.step(tuple(actions[0].tolist()))
            assert result.individual_reward is not None
            assert result.individual_reward[0].tolist() == pytest.approx(rewards)
            assert bool(result.terminated) == bool(over)
            ended = bool(over or cut)
            assert bool(result.ended) == ended
            observation = result.observation


def test_the_state_is_what_all_agents_see() -> None:
    config = CONFIG.model_copy(update={"state": "joined"})
    generator = torch.Generator().manual_seed(0)
    environment = GymnasiumTeam(config, games=2, device="cpu", generator=generator)
    for observation in (
        environment.reset(),
        environment.step(torch.ones(2, 2, dtype=torch.int64)).observation,
    ):
        assert observation.features is not None
        assert observation.state is not None
        assert torch.equal(observation.state, observation.features.flatten(1))
        assert observation.state.shape[-1] == environment.spec.state_features


def test_a_state_that_is_not_there_is_told() -> None:
    config = CONFIG.model_copy(update={"state": "own"})
    with pytest.raises(UserError, match="no global state of its own: say joined"):
        config.spec()


def test_a_mistake_is_told_with_its_place() -> None:
    data = {
        "environment": {"name": "gymnasium", "id": "lbforaging:No-Such-v3"},
        "host": {"name": "mappo"},
        "exploration": {"name": "entropy_sampling"},
        "stages": [{"episodes": 512}],
    }
    with pytest.raises(UserError, match=r"^environment: .*cannot be made") as caught:
        check(validate_strictly(RunConfig, data))
    assert caught.value.location == ("environment",)


class Alone(gymnasium.Env[Any, Any]):
    """An environment of a single agent."""

    observation_space = spaces.Discrete(2)
    action_space = spaces.Discrete(2)


class Odd(gymnasium.Env[Any, Any]):
    """Two agents with one action between them, and no end."""

    observation_space = spaces.Tuple([spaces.Discrete(2)] * 2)
    action_space: spaces.Space[Any] = spaces.Discrete(2)


class Endless(Odd):
    """Two agents, each with actions, and no end."""

    action_space = spaces.MultiDiscrete([2, 3])


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        (Alone, "a team's environment has a Tuple of observations, one for each agent"),
        (Odd, "a team's actions are a Tuple, one for each agent, and not Discrete(2)"),
        (Endless, "the environment does not say how long a game lasts: environment.ma"),
    ],
)
def test_what_is_no_team_is_one_line(
    kind: type[gymnasium.Env[Any, Any]], told: str
) -> None:
    name = f"marl_test/{kind.__name__}-v0"
    gymnasium.register(name, entry_point=cast(Any, kind))
    try:
        with pytest.raises(UserError) as caught:
            GymnasiumConfig(id=name).spec()
        assert str(caught.value).startswith(told)
    finally:
        del gymnasium.registry[name]


def test_an_unknown_environment_is_one_line() -> None:
    with pytest.raises(UserError) as caught:
        GymnasiumConfig(id="lbforaging:Forage-v9").spec()
    assert str(caught.value).startswith("'lbforaging:Forage-v9' cannot be made: ")
    assert "\n" not in str(caught.value)
