"""Agent-steps a second of strangers' environments: through an adapter, and in a bare loop.

    pip install mpe2 lbforaging rware
    python benchmarks/adapters.py

Each environment is stepped with the same random actions by the bare loop (reset where it ends) and
through the adapter, in turn, several times; the ratio is of the medians. The adapter does what a
learner needs besides: vectors of one shape, masks, deaths and tensors.

What was learnt: the rest is the environments' own Python. Where several processes play, a step
costs a message to each of them and back, so they pay off where a step of all games takes more than
some milliseconds.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from typing import Any

import torch

from marl_envs.adapters.config import AdapterConfig, GymnasiumConfig, PettingZooConfig
from marl_envs.adapters.environment import AdaptedEnvironment
from marl_envs.adapters.spaces import Choice

ENVIRONMENTS: dict[str, AdapterConfig] = {
    "simple_spread, N = 3": PettingZooConfig(id="mpe2:simple_spread_v3"),
    "simple_spread, N = 20": PettingZooConfig(
        id="mpe2:simple_spread_v3", kwargs={"N": 20}
    ),
    "simple_reference": PettingZooConfig(id="mpe2:simple_reference_v3"),
    "simple_speaker_listener": PettingZooConfig(id="mpe2:simple_speaker_listener_v4"),
    "simple_tag, hunters": PettingZooConfig(id="mpe2:simple_tag_v3", team="adversary"),
    "simple_world_comm, hunters": PettingZooConfig(
        id="mpe2:simple_world_comm_v3", team="adversary"
    ),
    "foraging, 8x8, 2 players": GymnasiumConfig(id="lbforaging:Foraging-8x8-2p-1f-v3"),
    "foraging, 10x10, 4 players": GymnasiumConfig(
        id="lbforaging:Foraging-10x10-4p-3f-v3"
    ),
    "warehouse, tiny, 2 agents": GymnasiumConfig(id="rware:rware-tiny-2ag-v2"),
    "warehouse, tiny, 4 agents": GymnasiumConfig(id="rware:rware-tiny-4ag-v2"),
}


def adapted(config: AdapterConfig, games: int, steps: int) -> float:
    """Seconds of a number of steps through the adapter; games that end are reset."""
    environment = AdaptedEnvironment(
        config, games=games, device="cpu", generator=torch.Generator()
    )
    spec = environment.spec
    actions = torch.randint(spec.actions, (steps, games, spec.agents))
    environment.reset()
    begin = time.perf_counter()
    for chosen in actions:
        ended = environment.step(chosen).ended
        if ended.any():
            environment.reset(ended)
    seconds = time.perf_counter() - begin
    environment.close()
    return seconds


def bare(config: AdapterConfig, games: int, steps: int) -> float:
    """Seconds of as many steps of the environment itself, game by game."""
    play: Callable[[Any, int], None]
    if isinstance(config, PettingZooConfig):
        import importlib

        module = importlib.import_module(config.id.replace(":", "."))
        made = [module.parallel_env(**config.kwargs) for _ in range(games)]
        play = _play_parallel
    else:
        import gymnasium

        made = [
            gymnasium.make(config.id, disable_env_checker=True) for _ in range(games)
        ]
        play = _play_tuple
    for game in made:
        game.reset(seed=0)
    begin = time.perf_counter()
    for game in made:
        play(game, steps)
    return time.perf_counter() - begin


def _play_parallel(game: Any, steps: int) -> None:
    choices = {
        name: Choice.of(game.action_space(name), name) for name in game.possible_agents
    }
    drawn = {
        name: torch.randint(choice.count, (steps,)).tolist()
        for name, choice in choices.items()
    }
    for step in range(steps):
        if not game.agents:
            game.reset()
        actions = {
            name: choices[name].action(drawn[name][step]) for name in game.agents
        }
        game.step(actions)


def _play_tuple(game: Any, steps: int) -> None:
    counts = [int(space.n) for space in game.action_space.spaces]
    drawn = [torch.randint(count, (steps,)).tolist() for count in counts]
    for step in range(steps):
        _, _, over, cut, _ = game.step(tuple(one[step] for one in drawn))
        if over or cut:
            game.reset()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--games", type=int, default=32)
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--workers", type=int, default=2)
    given = parser.parse_args()
    print("| environment | agents | bare, agent-steps/s | adapter, of it | processes |")
    print("|:--|--:|--:|--:|--:|")
    for name, config in ENVIRONMENTS.items():
        several = config.model_copy(update={"workers": given.workers})
        size = (given.games, given.steps)
        rounds = [
            (bare(config, *size), adapted(config, *size), adapted(several, *size))
            for _ in range(given.rounds)
        ]
        alone, one, many = map(statistics.median, zip(*rounds, strict=True))
        agents = config.spec().agents
        rate = agents * given.games * given.steps / alone
        shares = f"{alone / one:.0%} | {alone / many:.0%}"
        print(f"| {name} | {agents} | {rate:,.0f} | {shares} |", flush=True)


if __name__ == "__main__":
    main()
