"""Compiled losses."""

from __future__ import annotations

from pathlib import Path

import pytest
from torch._inductor import config as inductor

from marl_core.errors import UserError
from tests.runs import go_on, run_data, start


def test_no_compiler_is_told_in_a_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr(inductor.cpp, "cxx", ("no-such-compiler",))
    folder = start(tmp_path / "run", run_data(compile=True))
    with pytest.raises(UserError, match=r"cannot compile the losses: .*compiler") as caught:
        go_on(folder)
    assert "\n" not in str(caught.value)
    assert not folder.checkpoint.exists()
