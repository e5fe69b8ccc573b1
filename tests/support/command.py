"""The ``marl`` command inside of the tests' process."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from marl_core.cli import main

RUN = """\
seed: 0
environment:
  name: fme
  agents: 3
  tag: 1A1B1C
host:
  name: ppo_ma
  hidden: 4
exploration:
  name: entropy_sampling
stages:
  - episodes: 32
  - episodes: 32
    exploration:
      name: policy_resonance
      eta_max: 0.5
training:
  episodes_per_update: 16
  evaluation_episodes: 4
  tensorboard: false
"""


@dataclass(frozen=True)
class Outcome:
    """How a command ended and what it printed."""

    status: object
    out: str
    err: str


class Command:
    """Calls ``marl`` in a folder of its own."""

    def __init__(
        self,
        folder: Path,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        self.folder, self._monkeypatch, self._capsys = folder, monkeypatch, capsys
        monkeypatch.chdir(folder)
        monkeypatch.setattr(sys, "path", [*sys.path])  # configs add their folders to it
        monkeypatch.setenv(
            "MARL_RUN_DIR", ""
        )  # training sets it; this way it is removed again

    def __call__(self, *arguments: str) -> Outcome:
        """Run ``marl`` with arguments."""
        self._monkeypatch.setattr(sys, "argv", ["marl", *arguments])
        self._capsys.readouterr()
        status: object = 0
        try:
            main()
        except SystemExit as error:
            status = error.code
        printed = self._capsys.readouterr()
        return Outcome(status, printed.out, printed.err)

    def write(self, text: str | bytes = RUN, name: str = "run.yaml") -> Path:
        """Write a file beside which the commands run; its name alone, as the user would type it."""
        content = text.encode() if isinstance(text, str) else text
        (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
        (self.folder / name).write_bytes(content)
        return Path(name)

    def files(self) -> dict[str, bytes | None]:
        """Everything in the folder; None for folders."""
        paths = [
            path for path in self.folder.rglob("*") if "__pycache__" not in path.parts
        ]
        return {
            str(path.relative_to(self.folder)): path.read_bytes()
            if path.is_file()
            else None
            for path in paths
        }


def refused(marl: Command, *arguments: str) -> str:
    """The one line with which a command refuses a mistake; nothing else is printed and no file is
    touched.
    """
    before = marl.files()
    outcome = marl(*arguments)
    assert outcome.status == 2, outcome
    assert outcome.out == ""
    assert "Traceback" not in outcome.err
    assert outcome.err.endswith("\n")
    assert outcome.err.count("\n") == 1, outcome.err
    assert marl.files() == before
    return outcome.err.removesuffix("\n")
