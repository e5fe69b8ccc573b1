"""Run folders with made-up metrics."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.reported_runs import AT, Change
from tests.support.runs import run_data, start


@pytest.fixture
def made(tmp_path: Path) -> Callable[..., Path]:
    """Makes run folders: `made(name, seed=.., change=.., reward=..)`.

    The return is three times the reward of a level, and grows with training.
    """

    def make(
        name: str,
        seed: int = 0,
        change: Change | None = None,
        reward: float = 0.5,
        at: tuple[int, ...] = AT,
        wins: bool = False,
        **run: Any,
    ) -> Path:
        data = run_data(**{"second": "pr", **run})
        data["seed"] = seed
        if change is not None:
            change(data)
        folder = start(tmp_path / name, data)
        levels = ("A1", "B1", "C1")
        columns = [
            f"{mode}/{level}"
            for mode in ("exact", "greedy", "sampled")
            for level in ("return", *levels)
        ]
        if wins:
            columns += ["greedy/win_rate", "sampled/win_rate"]
        heads = ["update", "episodes", "coupling/apart", "coupling/together", *columns]
        lines = [",".join(heads)]
        for episodes in at:
            scores = [
                episodes / 208 * reward * (3 if "return" in column else 1)
                for column in columns
            ]
            lines.append(
                ",".join(
                    [
                        str(episodes // 16),
                        str(episodes),
                        *(("0.25", "0.75") if episodes else ("", "")),
                        *map(repr, scores),
                    ]
                )
            )
        folder.metrics.write_text("\n".join(lines) + "\n")
        return folder.path

    return make
