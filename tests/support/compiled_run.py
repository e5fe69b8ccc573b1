"""A process of its own for compiled losses: the tests' type checking of shapes cannot be compiled.

Arguments: a folder, the kind of the second stage, what torch compiles with, and optionally the C++
compiler to use. Trains the same short run compiled and eagerly, and prints the greatest difference
between their weights.
"""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path

import torch
from torch._inductor import config as inductor

from tests.support.runs import go_on, outcome, run_data, start


def main(folder: Path, second: str, backend: str, *compiler: str) -> None:
    """Train twice and compare."""
    torch.compile = partial(torch.compile, backend=backend)
    if compiler:
        inductor.cpp.cxx = compiler  # type: ignore[assignment]
    runs = []
    for compiled in (True, False):
        data = run_data(second, (2, 2), compile=compiled)
        runs.append(start(folder / str(compiled), data))
        go_on(runs[-1])
    weights, eager = (outcome(run)["checkpoint"]["state_dict"] for run in runs)
    print(max(float((eager[name] - weights[name]).abs().max()) for name in eager))


if __name__ == "__main__":
    torch.manual_seed(0)
    main(Path(sys.argv[1]), *sys.argv[2:])
