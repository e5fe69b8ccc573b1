"""Default names of run folders, and what a run leaves in the process: nothing."""

from __future__ import annotations

import logging
import os
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch

from marl_core import load, train
from marl_core.api.sources import default_folder, source_of
from marl_core.config.yaml_file import load_run
from tests.support.command import RUN
from tests.support.runs import run_data


def folder(path: Path, *overrides: str) -> str:
    source = source_of(path, overrides)
    return str(default_folder(source, source.config()))


@pytest.mark.parametrize(
    ("overrides", "name"),
    [
        ((), "run-seed0"),
        (("seed=3",), "run-seed3"),
        (("environment.agents=4",), "run-agents=4-seed0"),
        (("host.hidden=5", "seed=1"), "run-hidden=5-seed1"),
        (("stages.1.episodes=64",), "run-stage1.episodes=64-seed0"),
        (("exploration={name: boltzmann}", "host={name: qmix}"), "run-*-seed0"),
        (("training.threads=1", "training.log_every=2"), "run-seed0"),
        (("training.episodes_per_update=32",), "run-episodes_per_update=32-seed0"),
    ],
)
def test_folders_are_named_by_what_is_learnt(
    tmp_path: Path, overrides: Sequence[str], name: str
) -> None:
    path = tmp_path / "run.yaml"
    path.write_text(RUN)
    if "*" in name:
        overrides = [*overrides, "stages=[{episodes: 32}]"]
        name = "run-exploration=boltzmann-host=qmix-stages=_episodes_32-seed0"
    assert folder(path, *overrides) == f"runs/{name}"


def test_long_names_are_cut_and_stay_apart(tmp_path: Path) -> None:
    path = tmp_path / "run.yaml"
    path.write_text(RUN)
    tags = [f"environment.tag={'1' * 90}A1B{last}C" for last in (1, 2)]
    source = [source_of(path, [tag]) for tag in tags]
    config = load_run(path)
    names = [default_folder(one, config).name for one in source]
    assert names[0] != names[1]
    assert all(len(name) < 130 for name in names)


def test_training_leaves_the_process_as_it_was(tmp_path: Path) -> None:
    loggers = [logging.getLogger(name) for name in ("lightning", "lightning.pytorch")]
    before = (
        list(sys.path),
        dict(os.environ),
        list(warnings.filters),
        [logger.level for logger in loggers],
    )
    threads = torch.get_num_threads()
    other = threads % 2 + 1
    train(run_data(updates=(1, 1), threads=other), out=tmp_path / "run", progress=False)
    assert torch.get_num_threads() == threads
    load(tmp_path / "run").policy()
    after = (
        list(sys.path),
        dict(os.environ),
        list(warnings.filters),
        [logger.level for logger in loggers],
    )
    assert after[0] == before[0]
    changed = {n for n in after[1] if after[1][n] != before[1].get(n)}
    assert {name for name in changed if name.startswith("MARL")} == set()
    assert after[2:] == before[2:]


def test_only_folders_of_modules_in_use_stay_on_the_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", [*sys.path])
    before = list(sys.path)
    (tmp_path / "plain").mkdir()
    (tmp_path / "plain" / "run.yaml").write_text(RUN)
    load_run(tmp_path / "plain" / "run.yaml")
    assert sys.path == before
    own = tmp_path / "own"
    own.mkdir()
    (own / "a_policy_of_mine.py").write_text(
        "from marl_core.exploration.entropy_sampling import EntropySampling as Mine\n"
    )
    named = RUN.replace("name: entropy_sampling", "name: a_policy_of_mine:Mine")
    (own / "run.yaml").write_text(named)
    load_run(own / "run.yaml")
    assert sys.path == [*before, str(own)]
