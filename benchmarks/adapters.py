"""Agent-steps a second of strangers' environments: through an adapter, and in a bare loop.

    pip install mpe2 lbforaging rware vmas     # or jaxmarl, with a Gymnasium below 1.4
    python benchmarks/adapters.py --games 1 32

Environments whose library is not installed are left out. Each environment is stepped with the same
random actions by the bare loop (reset where it ends) and through the adapter, in turn, several
times; the ratio is of the medians. The adapter does what a learner needs besides: vectors of one
shape, masks, deaths and tensors. VMAS and JaxMARL step all games at once, in one process, so there
CPU seconds are counted, which other work on the machine changes less than those of the clock.

What was learnt: the rest is the environments' own Python. Where several processes play, a step
costs a message to each of them and back, so they pay off where a step of all games takes more than
some milliseconds.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import torch

from bare_batched import jaxmarl_seconds, vmas_seconds
from marl_core.abilities import Closes
from marl_core.construction import build_environment
from marl_envs.adapters.batched.jaxmarl_config import JaxMARLConfig
from marl_envs.adapters.batched.vmas import VMASConfig
from marl_envs.adapters.config import AdapterConfig, GymnasiumConfig, PettingZooConfig
from marl_envs.adapters.spaces import Choice

Config = AdapterConfig | VMASConfig | JaxMARLConfig
ENVIRONMENTS: dict[str, Config] = {
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
    "VMAS simple_spread": VMASConfig(id="simple_spread", max_steps=100),
    "VMAS balance": VMASConfig(id="balance", max_steps=100),
    "VMAS navigation": VMASConfig(id="navigation", max_steps=100),
    "JaxMARL simple_spread": JaxMARLConfig(id="MPE_simple_spread_v3"),
    "JaxMARL SMAX 3m": JaxMARLConfig(
        id="HeuristicEnemySMAX", kwargs={"scenario": "3m"}
    ),
}


def adapted(config: Config, games: int, steps: int) -> float:
    """Seconds of a number of steps through the adapter; games that end are reset."""
    environment = build_environment(
        config, games=games, device="cpu", generator=torch.Generator()
    )
    spec = environment.spec
    actions = torch.randint(spec.actions, (steps, games, spec.agents))
    # Compiles what has to be compiled.
    environment.reset()
    environment.step(actions[0])
    environment.reset(torch.arange(games) == 0)
    environment.reset()
    batched = isinstance(config, VMASConfig | JaxMARLConfig)
    clock = time.process_time if batched else time.perf_counter
    begin = clock()
    for chosen in actions:
        ended = environment.step(chosen).ended
        if ended.any():
            environment.reset(ended)
    seconds = clock() - begin
    if isinstance(environment, Closes):
        environment.close()
    return seconds


def bare(config: Config, games: int, steps: int) -> float:
    """Seconds of as many steps of the environment itself."""
    if isinstance(config, VMASConfig):
        return vmas_seconds(config, games, steps)
    if isinstance(config, JaxMARLConfig):
        return jaxmarl_seconds(config, games, steps)
    return _game_by_game(config, games, steps)


def _game_by_game(config: AdapterConfig, games: int, steps: int) -> float:
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
    parser.add_argument("--games", type=int, nargs="+", default=[32])
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--only", default="", help="a part of the environments' names")
    given = parser.parse_args()
    print(
        "| environment | agents | games | bare, agent-steps/s | adapter, of it "
        "| processes |"
    )
    print("|:--|--:|--:|--:|--:|--:|")
    for name, config in ENVIRONMENTS.items():
        if given.only in name and find_spec(_library(config)) is not None:
            for games in given.games:
                print(_row(name, config, games, given), flush=True)


def _library(config: Config) -> str:
    """The package that an environment comes from."""
    if isinstance(config, VMASConfig | JaxMARLConfig):
        return config.name
    return config.id.partition(":")[0]


def _row(name: str, config: Config, games: int, given: argparse.Namespace) -> str:
    """Measure, in turn, and say what came of it."""
    size = (games, given.steps)
    plays: list[Callable[[], float]] = [
        lambda: bare(config, *size),
        lambda: adapted(config, *size),
    ]
    if not isinstance(config, VMASConfig | JaxMARLConfig):
        several = config.model_copy(update={"workers": given.workers})
        plays.append(lambda: adapted(several, *size))
    rounds = [[play() for play in plays] for _ in range(given.rounds)]
    alone, *through = map(statistics.median, zip(*rounds, strict=True))
    agents = config.spec().agents
    rate = agents * games * given.steps / alone
    shares = " | ".join(f"{alone / one:.0%}" for one in through)
    if len(through) == 1:
        shares += " | all at once"
    return f"| {name} | {agents} | {games} | {rate:,.0f} | {shares} |"


if __name__ == "__main__":
    main()
