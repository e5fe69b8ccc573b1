"""How many guard-agent-steps a second ADCA plays, with random guards and the scripted opponent.

    python benchmarks/adca_steps.py [--battles 64] [--agents 50] [--attackers 60] [--threads 1 2]
        [--processes 2]
        [--kernels torch warp]

A run plays whole battles from their start, for ``--steps`` steps, and counts every guard in every
step, as the authors' program was counted: 3,739 a second on one core, one battle at a time (50
against 60, everything included). Wall-clock rates suffer from whatever else a machine does, so the
rate in CPU time is given beside them.

Two cores are measured in two ways: as two threads of one process, and as training with ``devices:
2`` uses them, as two processes that each play half of the battles on one thread. Those start
together, at a barrier; all their steps are divided by the time that the slower of them takes.

On an idle machine (two virtual cores), 64 battles, times the authors' rate on one core: torch 103
on one thread, 107 on two, 144 in two processes; with the script fused by Warp 155, 158 and 246.

What costs time here is memory and the number of operations (1,400 calls a step), not arithmetic.
Learned from profiles on two busy virtual cores with 64 battles: the tensors of all pairs do not
stay in the second-level cache, and an operation on them takes two to five times as long there as
when it is timed alone; ``where`` takes some 4 ns an element where the mask is random, an exact
``lerp`` of numbers almost nothing. Tried and dropped: keys of 32 bits for the nearest, in fixed
point (gained less than the noise and ordered ties otherwise); leaving settled battles out of
further steps of k-means (no gain); the pairs of both teams in one tensor (slower: it outgrows the
cache)."""

from __future__ import annotations

import argparse
import multiprocessing
import time
from multiprocessing.sharedctypes import SynchronizedArray
from multiprocessing.synchronize import Barrier

import torch
from rich.console import Console
from rich.table import Table

from extras import need
from marl_envs.adca import ADCA, ADCAConfig

#: The authors' program, guard-agent-steps a second on one core.
AUTHORS = 3739


def settings(arguments: argparse.Namespace, kernels: str) -> ADCAConfig:
    """The environment that is measured."""
    fields = {
        "name": "adca",
        "agents": arguments.agents,
        "attackers": arguments.attackers,
        "kernels": kernels,
    }
    return ADCAConfig.model_validate(fields)


def measure(
    arguments: argparse.Namespace, kernels: str, threads: int
) -> tuple[float, float, float]:
    """Guard-agent-steps a second: by the mean step, by the median step, and by CPU time."""
    torch.set_num_threads(threads)
    generator = torch.Generator(arguments.device).manual_seed(0)
    config = settings(arguments, kernels)
    arena = ADCA(
        config, games=arguments.battles, device=arguments.device, generator=generator
    )
    shape = (arguments.battles, arguments.agents)

    def step() -> float:
        actions = torch.randint(
            arena.spec.actions, shape, generator=generator, device=arguments.device
        )
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
    return (
        agents / float(taken.mean()),
        agents / float(taken.median()),
        agents * arguments.steps / processor,
    )


def play(
    rank: int,
    arguments: argparse.Namespace,
    kernels: str,
    barrier: Barrier,
    seconds: SynchronizedArray[float],
) -> None:
    """Play the share of one of several processes, on one thread, once all are ready."""
    torch.set_num_threads(1)
    torch.set_grad_enabled(False)
    generator = torch.Generator().manual_seed(rank)
    games = arguments.battles // arguments.processes
    arena = ADCA(
        settings(arguments, kernels), games=games, device="cpu", generator=generator
    )
    actions = [
        torch.randint(
            arena.spec.actions, (games, arguments.agents), generator=generator
        )
        for _ in range(arguments.steps)
    ]
    arena.reset()
    for action in actions[:5]:
        arena.step(action)
    arena.reset()
    barrier.wait()
    started = time.perf_counter()
    for action in actions:
        arena.step(action)
    seconds[rank] = time.perf_counter() - started


def measure_processes(arguments: argparse.Namespace, kernels: str) -> float:
    """Guard-agent-steps a second of several processes, by the wall clock of the slowest."""
    context = multiprocessing.get_context("spawn")
    seconds = context.Array("d", arguments.processes)
    barrier = context.Barrier(arguments.processes)
    workers = [
        context.Process(target=play, args=(rank, arguments, kernels, barrier, seconds))
        for rank in range(arguments.processes)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    if any(worker.exitcode for worker in workers):
        raise RuntimeError("a process of the benchmark failed")
    games = arguments.battles // arguments.processes * arguments.processes
    return games * arguments.agents * arguments.steps / max(seconds[:])


@torch.no_grad()
def main() -> None:
    """Measure each number of threads and print a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--battles", type=int, default=64)
    parser.add_argument("--agents", type=int, default=50)
    parser.add_argument("--attackers", type=int, default=60)
    parser.add_argument("--steps", type=int, default=190)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument(
        "--processes",
        type=int,
        default=2,
        help="of one thread each, on a CPU; 0 for none",
    )
    parser.add_argument(
        "--kernels", choices=["torch", "warp"], nargs="+", default=["torch"]
    )
    parser.add_argument("--device", default="cpu")
    arguments = parser.parse_args()
    if "warp" in arguments.kernels:
        need("warp", "pip install 'policy-resonance[warp]'")
    table = Table(
        "kernels",
        "cores",
        "mean",
        "median",
        "of CPU time",
        "times the authors' program (median, or mean)",
    )
    for kernels in arguments.kernels:
        for threads in arguments.threads:
            mean, median, processor = measure(arguments, kernels, threads)
            rates = (f"{rate:,.0f}" for rate in (mean, median, processor))
            table.add_row(
                kernels, f"{threads} threads", *rates, f"{median / AUTHORS:.0f}"
            )
        if arguments.processes and arguments.device == "cpu":
            rate = measure_processes(arguments, kernels)
            table.add_row(
                kernels,
                f"{arguments.processes} processes",
                f"{rate:,.0f}",
                "",
                "",
                f"{rate / AUTHORS:.0f}",
            )
    Console().print(table)


if __name__ == "__main__":
    main()
