"""How long an update of the first stage at fifty guards takes, beside other versions or settings.

    python benchmarks/adca_fifty.py --run MARL CONFIG [--run MARL CONFIG ...] [--updates 4]
        [--rounds 2]

MARL is the command of an installed version, CONFIG a config of one stage that this version takes.
All runs are made in turn on the same machine, several rounds of them. Each is made twice in a
round, with few and with more updates: the difference of both times is that of the updates alone,
for starting, compiling and evaluating cost the same in both.

The figures that this gave are in docs/results/adca_speed.md.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

#: The first stage of the paper.
EPISODES = 83_200
BATTLES = 64


def seconds(marl: str, config: str, updates: int) -> float:
    """How long a whole run of some updates takes.

    Args:
        marl: the command.
        config: of the run.
        updates: how many it makes.
    """
    with tempfile.TemporaryDirectory() as folder:
        command = [marl, "train", "--config", config]
        command += ["--run-dir", str(Path(folder) / "run")]
        for setting in (
            f"stages.0.episodes={updates * BATTLES}",
            f"training.episodes_per_update={BATTLES}",
            f"training.evaluation_episodes={BATTLES}",
            "training.evaluate_every=1000000",
            "training.checkpoint_every=1000000",
        ):
            command += ["--set", setting]
        start = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True)
        return time.perf_counter() - start


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--run",
        nargs=2,
        action="append",
        required=True,
        metavar=("MARL", "CONFIG"),
    )
    parser.add_argument("--updates", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=2)
    arguments = parser.parse_args()
    found: dict[int, list[float]] = {}
    for _ in range(arguments.rounds):
        for number, (marl, config) in enumerate(arguments.run):
            few = seconds(marl, config, 1)
            more = seconds(marl, config, 1 + arguments.updates)
            found.setdefault(number, []).append((more - few) / arguments.updates)
    table = Table("command", "config", "s an update", "83,200 episodes", "ratio")
    first = statistics.median(found[0])
    for number, (marl, config) in enumerate(arguments.run):
        each = statistics.median(found[number])
        hours = each * EPISODES / BATTLES / 3600
        every = ", ".join(f"{x:.2f}" for x in found[number])
        table.add_row(
            marl,
            config,
            f"{each:.2f} ({every})",
            f"{hours:.2f} h",
            f"{first / each:.2f}",
        )
    Console(width=160).print(table)


if __name__ == "__main__":
    main()
