"""A process of its own for compiled losses: the tests' type checking of shapes cannot be compiled.

Arguments: a folder, the kind of the second stage, and optionally the C++ compiler to use. Trains
the same short run eagerly and compiled, and prints the greatest difference between their weights.
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch
from torch._inductor import config as inductor

from tests.support.runs import go_on, outcome, run_data, start


def main(folder: Path, second: str, *compiler: str) -> None:
    """Train twice and compare."""
    if compiler:
        inductor.cpp.cxx = compiler  # type: ignore[assignment]
    runs = [
        start(folder / str(compiled), run_data(second, (2, 2), compile=compiled))
        for compiled in (False, True)
    ]
    for run in runs:
        go_on(run)
    eager, compiled = (outcome(run)["checkpoint"]["state_dict"] for run in runs)
    print(max(float((eager[name] - compiled[name]).abs().max()) for name in eager))


if __name__ == "__main__":
    torch.manual_seed(0)
    main(Path(sys.argv[1]), *sys.argv[2:])
