"""Tests of policy resonance compute with one thread.

Their tensors are small. With several threads they wait for each other, which takes most of the
time where other work keeps the cores busy.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    """Torch has one thread during a module of tests."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
