"""How a trained team wins its battles of ADCA: kills, deaths, and whether the clock decided.

python benchmarks/adca_victories.py RUN [--battles 192] [--seed 7]
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

from marl_core.protocols import HostAlgorithm
from marl_core.runs.assembly import newest_state
from marl_core.runs.folder import RunFolder
from marl_envs.adca import ADCA, ADCAConfig


def fight(
    host: HostAlgorithm, config: ADCAConfig, battles: int, seed: int, *, greedy: bool
) -> str:
    """A line on the battles of a team that acts greedily, or samples its actions independently."""
    generator = torch.Generator().manual_seed(seed)
    arena = ADCA(config, games=battles, device="cpu", generator=generator)
    observation = arena.reset()
    memory = host.initial_memory(battles)
    on = torch.ones(battles, dtype=torch.bool)
    won = torch.zeros_like(on)
    late = torch.zeros_like(on)
    deaths = torch.zeros(battles)
    kills = torch.zeros(battles)
    for step in range(config.max_steps):
        logits, memory = host.scores(observation, memory)
        drawn = (
            logits.flatten(0, 1)
            .softmax(-1)
            .multinomial(1, generator=generator)
            .view(logits.shape[:2])
        )
        result = arena.step(logits.argmax(-1) if greedy else drawn)
        assert result.won is not None
        observation = result.observation
        ended = on & result.terminated
        dead = ~arena.state_dict()["alive"]
        deaths = torch.where(ended, dead[:, : config.agents].sum(1).float(), deaths)
        kills = torch.where(ended, dead[:, config.agents :].sum(1).float(), kills)
        won |= ended & result.won
        late |= ended & (step == config.max_steps - 1)
        on &= ~result.terminated
    numbers = (float(x[won].float().mean()) for x in (late, kills, deaths))
    return (
        f"won {float(won.float().mean()):.3f}; of those by the clock %.2f, kills %.2f, deaths %.2f"
        % tuple(numbers)
    )


@torch.no_grad()
def main() -> None:
    """Print a line for the greedy team and one for the sampling one."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("run", type=Path)
    parser.add_argument("--battles", type=int, default=192)
    parser.add_argument("--seed", type=int, default=7)
    arguments = parser.parse_args()
    state = newest_state(RunFolder(arguments.run))
    config = state.config.environment
    assert isinstance(config, ADCAConfig), "a run on ADCA"
    for greedy in (True, False):
        line = fight(
            state.host, config, arguments.battles, arguments.seed, greedy=greedy
        )
        print("greedy: " if greedy else "sampled:", line)


if __name__ == "__main__":
    main()
