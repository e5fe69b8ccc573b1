"""Runs to be rendered."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.episodes import adca_data
from tests.support.runs import go_on, run_data, start


@pytest.fixture(scope="module")
def fme_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = start(
        tmp_path_factory.mktemp("runs") / "lesson", run_data(record_policies=True)
    )
    go_on(folder)
    return folder.path


@pytest.fixture(scope="module")
def adca_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = start(tmp_path_factory.mktemp("runs") / "battle", adca_data(max_steps=12))
    go_on(folder)
    return folder.path
