"""In all tests shapes and types are checked and Hypothesis draws the same examples; ``marl`` is
at hand for any.
"""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import lightning  # noqa: F401  # see below
import matplotlib.pyplot  # noqa: F401  # see below
import pydantic  # noqa: F401  # see below
import pytest
import ruamel.yaml  # noqa: F401  # see below
import torch
import typer  # noqa: F401  # see below
from hypothesis import HealthCheck, settings
from jaxtyping import install_import_hook

from tests.support import typechecker

if TYPE_CHECKING:
    from tests.support.command import Command

# The tests of several workers share the cores: with more than one thread each they wait for one
# another. Processes that tests start inherit the variable.
os.environ.setdefault("OMP_NUM_THREADS", "1")
torch.set_num_threads(1)

# Only what is imported after this line is checked. Large libraries are imported before it: while a
# module of the project is imported, the hook hides the compiled files of all other modules.
typechecker.only_where_shapes_are()
install_import_hook(
    ["marl_core", "marl_envs", "marl_pr"], f"{typechecker.__name__}.check_types"
)

settings.register_profile(
    "marl",
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("marl")

# A shell starts what it puts in the background with Ctrl-C ignored, and every process that tests
# start would inherit that; those are to hear it.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def marl(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Command:
    """Calls ``marl`` in a folder of its own."""
    from tests.support.command import Command  # not before the hook

    return Command(tmp_path, monkeypatch, capsys)
