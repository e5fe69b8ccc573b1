"""Bare loops over VMAS and JaxMARL, as their own pages show them: random actions, new games for
those that end, and nothing else.
"""

from __future__ import annotations

import time
from importlib import import_module
from typing import Any

import torch

from marl_envs.adapters.batched.jaxmarl_config import JaxMARLConfig
from marl_envs.adapters.batched.vmas import VMASConfig


def vmas_seconds(config: VMASConfig, games: int, steps: int) -> float:
    """CPU seconds of a number of steps of a scenario of VMAS.

    Args:
        config: which scenario.
        games: E.
        steps: of all games.
    """
    environment = config.made(games, torch.device("cpu"))
    spec = config.spec()
    actions = torch.randint(spec.actions, (steps, games, spec.agents, 1))
    environment.reset(seed=0)
    limit = config.limit()
    begin = time.process_time()
    for index, chosen in enumerate(actions, start=1):
        _, _, done, _ = environment.step(list(chosen.unbind(1)))
        if index % limit == 0:
            environment.reset()
        elif done.any():
            for game in done.nonzero().flatten().tolist():
                environment.reset_at(game)
    return time.process_time() - begin


def jaxmarl_seconds(config: JaxMARLConfig, games: int, steps: int) -> float:
    """CPU seconds of steps of an environment of JaxMARL, whose ``step`` resets by itself.

    What agents see is waited for after each step, because a policy would need it.

    Args:
        config: which environment.
        games: E.
        steps: of all games.
    """
    jax = import_module("jax")
    environment = _jaxmarl(config)
    spec = config.spec()
    drawn = torch.randint(spec.actions, (steps, games, spec.agents)).numpy()
    actions = [jax.numpy.asarray(one.astype("int32")) for one in drawn]
    key = jax.random.PRNGKey(0)
    _, state = jax.vmap(environment.reset)(jax.random.split(key, games))

    def advanced(state: Any, key: Any, chosen: Any) -> Any:
        key, own = jax.random.split(key)
        by_agent = dict(zip(environment.agents, chosen.T, strict=True))
        keys = jax.random.split(own, games)
        seen, state, reward, done, _ = jax.vmap(environment.step)(keys, state, by_agent)
        return state, key, (seen, reward, done)

    step = jax.jit(advanced)
    # Twice: the types of a first state are not always those of the next.
    for _ in range(2):
        state, key, _ = jax.block_until_ready(step(state, key, actions[0]))
    begin = time.process_time()
    for chosen in actions:
        state, key, seen = step(state, key, chosen)
        jax.block_until_ready(seen)
    return time.process_time() - begin


def _jaxmarl(config: JaxMARLConfig) -> Any:
    keywords = dict(config.kwargs)
    if "scenario" in keywords:
        maps = import_module("jaxmarl.environments.smax")
        keywords["scenario"] = maps.map_name_to_scenario(keywords["scenario"])
    return import_module("jaxmarl").make(config.id, **keywords)
