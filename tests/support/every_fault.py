"""Every file operation of a command fails in turn: ``python -m tests.support.every_fault``.

It is a program of its own, without the type checks of the tests, so that hundreds of tries are
affordable::

    python -m tests.support.every_fault FOLDER HOST KIND SCENARIO

``SCENARIO`` is ``train``, a run from its start, or ``resume``: a run that was killed, and whose
newest checkpoint has a bit flipped. What was wrong is printed, a line for each finding.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal, cast

from marl_core.runs.folder import RunFolder
from tests.support.fault_tries import (
    STATUS,
    complaints,
    everything,
    healed,
    marl,
    operations,
    prepare,
    tiny_config,
)
from tests.support.faults import Fault, Kind

Scenario = Literal["train", "resume"]


def every_operation(
    place: Path, host: str, kind: Kind, scenario: Scenario
) -> Iterator[tuple[int, list[str]]]:
    """The status of each try, and what was wrong.

    Args:
        place: an empty folder.
        host: who learns.
        kind: what happens at the operation.
        scenario: which command meets it.
    """
    config = tiny_config(place / "run.yaml", host)
    whole, folder = RunFolder(place / "whole"), RunFolder(place / "run")
    assert marl(None, "train", config, "--run-dir", whole.path).status == 0
    expected = everything(whole)
    command: Sequence[str | Path] = ("train", config, "--run-dir", folder.path)
    before = None
    if scenario == "resume":
        before = _damaged(place / "before", config)
        command = ("resume", folder.path)
    _restore(folder.path, before)
    for at, name in enumerate(operations(folder.path, *command), start=1):
        _restore(folder.path, before)
        ended = marl(Fault(folder.path, kind, at), *command)
        wrong = complaints(kind, ended, notes=scenario == "resume")
        wrong += healed(folder, config, expected)
        yield ended.status, [f"{at} {name}: {ended.status}: {what}" for what in wrong]


def _damaged(path: Path, config: Path) -> Path:
    """A run that was killed at its end; of its two checkpoints the newest is damaged."""
    command = ("train", config, "--run-dir", path)
    names = operations(path, *command)
    shutil.rmtree(path)
    last = max(at for at, name in enumerate(names, 1) if name.startswith("rename"))
    assert marl(Fault(path, "kill", last), *command).status == STATUS["kill"]
    newest = RunFolder(path).checkpoint
    content = bytearray(newest.read_bytes())
    content[len(content) // 2] ^= 1
    newest.write_bytes(content)
    return path


def _restore(path: Path, before: Path | None) -> None:
    shutil.rmtree(path, ignore_errors=True)
    if before is not None:
        shutil.copytree(before, path)


def main(place: Path, host: str, kind: Kind, scenario: Scenario) -> None:
    """Try all, and print what was wrong and how the commands ended."""
    prepare()
    counts: Counter[int] = Counter()
    for status, wrong in every_operation(place, host, kind, scenario):
        counts[status] += 1
        for line in wrong:
            print(line, flush=True)
    print(json.dumps({"tries": counts.total(), "by status": counts}))


if __name__ == "__main__":
    folder, by, fault, what = sys.argv[1:]
    main(Path(folder), by, cast(Kind, fault), cast(Scenario, what))
