"""The example that searches settings with Optuna."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).parents[3] / "examples" / "optuna_pruning.py"


def test_poor_trials_are_ended_early(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--trials", "5", "--episodes", "8192", "--out", str(tmp_path)]
    monkeypatch.setattr(sys, "argv", ["optuna_pruning.py", *arguments])
    runpy.run_path(str(EXAMPLE), run_name="__main__")
    said = capsys.readouterr().out
    assert "5 trials" not in said
    finished = [
        folder for folder in tmp_path.iterdir() if (folder / "summary.json").exists()
    ]
    assert f"{len(finished)} trials complete" in said
    assert f"{5 - len(finished)} trials pruned" in said
    assert 3 <= len(finished) < 5
