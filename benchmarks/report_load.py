"""What a report costs in time and memory, when there are many runs or they were trained for long.

    python benchmarks/report_load.py --runs 6 --lines 16385 --evaluated 1
    python benchmarks/report_load.py --runs 1000 --lines 64 --evaluated 1
    python benchmarks/report_load.py --runs 1000 --lines 64 --evaluated 1 --experiments 200
    python benchmarks/report_load.py --runs 3 --lines 312500 --evaluated 32

The last one is three runs of 10^7 episodes each, in updates of 32 episodes with a line for every
update. Run folders are made up; the report is a process of its own, so that memory is its alone.

What was learnt, as the most memory of the report's process (torch alone takes 300 MB), before and
after metrics were read column by column and the bootstrap worked in parts:

| runs | lines of each | experiments | before | now |
|---|---|---|---|---|
| 6 | 16,385 | 2 | 3,220 MB | 660 MB |
| 1,000 | 64 | 2 | 750 MB | 676 MB |
| 1,000 | 64 | 200 | 583 MB | 505 MB |
| 3 | 312,500 | 2 | 3,532 MB | 554 MB |

Of the time that 1,000 runs take, most is that of reading 1,000 configs. Going on with a run of
312,500 lines (100 MB of ``metrics.csv``) takes 10 seconds and 100 MB of memory; it was 740 MB.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from marl_core.config.run import RunConfig
from marl_core.runs.folder import RunFolder

LEVELS = ("return", "A1", "B1", "B2", "B3", "B4", "C1", "C2")
MEASURES = ("exact", "greedy", "sampled")
COUPLING = ("coupling/not in resonance", "coupling/in resonance")
#: What is logged at every line, beside the coupling.
DIAGNOSTICS = tuple(f"diagnostics/{number}" for number in range(12))
EVALUATION = tuple(f"{measure}/{name}" for measure in MEASURES for name in LEVELS)
EPISODES_OF_AN_UPDATE = 32


def main() -> None:
    """Make runs, report on them, print what it cost."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=6)
    parser.add_argument("--lines", type=int, default=16385, help="of each run")
    parser.add_argument("--evaluated", type=int, default=1, help="every how many lines")
    parser.add_argument("--experiments", type=int, default=2)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        runs = made_runs(
            Path(folder),
            chosen.runs,
            chosen.lines,
            chosen.evaluated,
            chosen.experiments,
        )
        cost = cost_of_report(Path(folder), runs)
    print(json.dumps({**vars(chosen), **cost}))


def made_runs(
    folder: Path,
    runs: int,
    lines: int,
    evaluated: int,
    experiments: int,
) -> list[Path]:
    """Make run folders with made-up metrics.

    Args:
        folder: their parent.
        runs: their number.
        lines: of each ``metrics.csv``.
        evaluated: every how many lines the policy was evaluated.
        experiments: their number, which differ in a setting of the host.
    """
    paths = [folder / f"run{number}" for number in range(runs)]
    for number, path in enumerate(paths):
        seed, experiment = divmod(number, experiments)
        config = {
            "seed": seed,
            "environment": {"name": "fme", "agents": 5, "tag": "1A4B2C"},
            "host": {"name": "ppo_ma", "gamma": 0.5 + 0.49 * experiment / experiments},
            "exploration": {"name": "entropy_sampling"},
            "stages": [{"episodes": EPISODES_OF_AN_UPDATE * max(1, lines - 1)}],
            "training": {"episodes_per_update": EPISODES_OF_AN_UPDATE},
        }
        run = RunFolder(path)
        run.create(RunConfig.model_validate(config))
        with run.metrics.open("w", encoding="utf-8") as file:
            file.writelines(_written(number, lines, evaluated))
    return paths


def _written(seed: int, lines: int, evaluated: int) -> Iterator[str]:
    names = ("update", "episodes", *COUPLING, *DIAGNOSTICS, *EVALUATION)
    yield ",".join(names) + "\n"
    random = np.random.default_rng(seed)
    always = len(COUPLING) + len(DIAGNOSTICS)
    empty = "," * (len(EVALUATION) - 1)
    for update in range(lines):
        values = map(repr, random.random(always).tolist())
        scores = empty
        if update % evaluated == 0:
            scores = ",".join(map(repr, random.random(len(EVALUATION)).tolist()))
        episodes = update * EPISODES_OF_AN_UPDATE
        yield f"{update},{episodes},{','.join(values)},{scores}\n"


def cost_of_report(folder: Path, runs: list[Path]) -> dict[str, float]:
    """Report on runs in a process of its own.

    Args:
        folder: where the figure goes.
        runs: run folders.

    Returns:
        Its seconds, and the most memory that it had, in megabytes.
    """
    command = [sys.executable, "-m", "marl_core", "report", *map(str, runs)]
    begin = time.perf_counter()
    subprocess.run(
        [*command, "--out", str(folder / "figure.png")],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    seconds = time.perf_counter() - begin
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    return {"seconds": round(seconds, 1), "peak_mb": round(peak)}


if __name__ == "__main__":
    main()
