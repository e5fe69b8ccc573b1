"""How many guard-agent-steps a second ADCA plays, with random guards and the scripted opponent.

    python benchmarks/adca_steps.py [--battles 64] [--agents 50] [--attackers 60] [--threads 1 2] [--device cpu]

A run plays whole battles from their start, for ``--steps`` steps, and counts every guard in every step, as the
authors' program was counted: 3,739 a second on one core, one battle at a time (50 against 60, everything included).
Wall-clock rates suffer from whatever else a machine does, so the rate in CPU time is given beside them.

Measured on an idle machine (two virtual cores), 64 battles: 368,000 a second on one thread, 99 times the authors' rate;
402,000 on two threads, 107 times: what is parallel in it are many small operations, which a second thread helps little.
"""

from __future__ import annotations

import argparse
import time

import torch
from rich.console import Console
from rich.table import Table

from marl_envs.adca import ADCA, ADCAConfig

#: The authors' program, guard-agent-steps a second on one core.
AUTHORS = 3739


def measure(arguments: argparse.Namespace, threads: int) -> tuple[float, float, float]:
    """Guard-agent-steps a second: by the wall clock, of the faster half of the steps, and by CPU time."""
    torch.set_num_threads(threads)
    generator = torch.Generator(arguments.device).manual_seed(0)
    config = ADCAConfig(name="adca", agents=arguments.agents, attackers=arguments.attackers)
    arena = ADCA(config, games=arguments.battles, device=arguments.device, generator=generator)
    shape = (arguments.battles, arguments.agents)

    def step() -> float:
        actions = torch.randint(arena.spec.actions, shape, generator=generator, device=arguments.device)
        started = time.perf_counter()
        arena.step(actions)
        if arguments.device != "cpu":
            torch.cuda.synchronize()
        return time.perf_counter() - started

    arena.reset()
    for _ in range(5):
        step()
    arena.reset()
    started = time.process_time()
    taken = torch.tensor([step() for _ in range(arguments.steps)])
    processor = time.process_time() - started
    agents = arguments.battles * arguments.agents
    return agents / float(taken.mean()), agents / float(taken.median()), agents * arguments.steps / processor


@torch.no_grad()
def main() -> None:
    """Measure each number of threads and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--battles", type=int, default=64)
    parser.add_argument("--agents", type=int, default=50)
    parser.add_argument("--attackers", type=int, default=60)
    parser.add_argument("--steps", type=int, default=190)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--device", default="cpu")
    arguments = parser.parse_args()
    table = Table("threads", "mean", "median", "of CPU time", "median, times the authors' program")
    for threads in arguments.threads:
        mean, median, processor = measure(arguments, threads)
        rates = (f"{rate:,.0f}" for rate in (mean, median, processor))
        table.add_row(str(threads), *rates, f"{median / AUTHORS:.0f}")
    Console().print(table)


if __name__ == "__main__":
    main()
