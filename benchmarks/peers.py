"""Hosts of this project beside the same algorithms in BenchMARL (on TorchRL) and EPyMARL.

    python -m venv peers && . peers/bin/activate
    pip install -c constraints.txt -e . 'benchmarl==1.5.2' vmas mpe2 pettingzoo sacred
    pip uninstall torchvision     # that of the index fits no torch for CPUs; nothing here needs it
    git clone https://github.com/uoe-agents/epymarl     # at cbc38c0
    EPYMARL=$PWD/epymarl OMP_NUM_THREADS=1 python benchmarks/peers.py --out peers.jsonl
    python benchmarks/peers.py --out peers.jsonl --page docs/results/peers.md

Each algorithm is trained on the same task with the same settings on both sides: ours, peer, ours,
peer ..., one process at a time. Both are tested by one evaluator on the same games. A line of the
file is a finished run; runs that are in it already are not made again. ``--page`` writes the table
and the figure of what there is.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from dataclasses import asdict
from importlib import import_module, metadata
from pathlib import Path
from typing import Any

from extras import need
from peer.settings import (
    BENCHMARL,
    COMPARISONS,
    EPYMARL,
    OURS,
    WHOLE_GAMES,
    Comparison,
)
from peer.watching import Record

#: Which module runs a side.
_SIDES = {
    OURS: "peer.ours",
    WHOLE_GAMES: "peer.ours",
    BENCHMARL: "peer.benchmarl",
    EPYMARL: "peer.epymarl",
}
_PACKAGES = ("torch", "benchmarl", "torchrl", "tensordict", "vmas", "mpe2")


def main() -> None:
    """Run what is missing, one run, or write the page."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--out", type=Path, default=Path("peers.jsonl"))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--only", default="", help="a part of the comparisons' names")
    parser.add_argument("--one", nargs=3, metavar=("NAME", "SEED", "SIDE"))
    parser.add_argument("--page", type=Path)
    given = parser.parse_args()
    if given.page:
        import_module("peer.page").write(_lines(given.out), given.page)
    elif given.one:
        name, seed, side = given.one
        _add(given.out, _chosen(name), int(seed), side)
    else:
        need("benchmarl", "see the beginning of this file")
        _run_missing(given.out, given.seeds, given.only)


def _run_missing(out: Path, seeds: int, only: str) -> None:
    for seed in range(seeds):
        for comparison in COMPARISONS:
            if only not in comparison.name:
                continue
            # Who is first changes with the seed.
            sides = [OURS, comparison.peer]
            if seed % 2:
                sides.reverse()
            if comparison.peer == BENCHMARL:
                sides.append(WHOLE_GAMES)
            for side in sides:
                if not _is_done(out, comparison, seed, side):
                    command = [sys.executable, __file__, "--out", str(out)]
                    command += ["--one", comparison.name, str(seed), side]
                    subprocess.run(command, check=False)


def _is_done(out: Path, comparison: Comparison, seed: int, side: str) -> bool:
    wanted = (comparison.name, seed, side)
    return any((one["name"], one["seed"], one["side"]) == wanted for one in _lines(out))


def _add(out: Path, comparison: Comparison, seed: int, side: str) -> None:
    record: Record = import_module(_SIDES[side]).run(comparison, seed, side)
    line = {
        "name": comparison.name,
        "seed": seed,
        "side": side,
        **asdict(record),
        "settings": asdict(comparison.settings),
        "versions": {name: _version(name) for name in _PACKAGES},
    }
    with out.open("a") as file:
        file.write(json.dumps(line) + "\n")
    rate = record.timed_frames / max(record.cpu, 1e-9)
    print(f"{comparison.name}, seed {seed}, {side}: {rate:.0f} frames a CPU second")


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _chosen(name: str) -> Comparison:
    return next(one for one in COMPARISONS if one.name == name)


def _lines(out: Path) -> list[dict[str, Any]]:
    if not out.exists():
        return []
    return [json.loads(line) for line in out.read_text().splitlines()]


if __name__ == "__main__":
    main()
