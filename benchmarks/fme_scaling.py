"""How time of an update and memory of a run grow with the size of the team (1A4B2C, PR-Fast).

    python benchmarks/fme_scaling.py [--agents 10 40 160 640 1000]

Each size is a process of its own, so that memory is that of the size alone. What was learnt:
collection and advantages grow with the number of samples (512 games x 7 steps x N) and so in
proportion to N; the epochs grow slower, because they work on 7 x N distinct observations; until N
is in the hundreds their time is that of the number of operations."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path

from rich.console import Console
from rich.table import Table


def main() -> None:
    """Measure each size and print a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--agents", type=int, nargs="+", default=[10, 40, 160, 640, 1000]
    )
    parser.add_argument("--updates", type=int, default=20)
    arguments = parser.parse_args()
    table = Table(
        "agents",
        "seconds an update",
        "collection",
        "advantages",
        "epochs",
        "peak memory",
    )
    for agents in arguments.agents:
        script = Path(__file__).with_name("fme_update.py")
        options = [
            f"--agents={agents}",
            f"--updates={arguments.updates}",
            "--warm-up=3",
            "--stage=2",
        ]
        done = subprocess.run(
            [sys.executable, script, *options],
            capture_output=True,
            text=True,
            check=True,
        )
        result = json.loads(done.stdout)
        split = result["split"]
        collection = sum(
            split[name] for name in ("environment", "sampling", "rest of collection")
        )
        seconds = (
            result["median_seconds"],
            collection,
            split["advantages"],
            split["epochs"],
        )
        table.add_row(
            str(agents),
            *(f"{value:.4f}" for value in seconds),
            f"{result['peak_memory_gb']:.2f} GB",
        )
    Console().print(table)


if __name__ == "__main__":
    main()
