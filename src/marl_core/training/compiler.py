"""Whether torch can compile here, and why it cannot."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

import torch
from torch import Tensor
from torch._dynamo.exc import TorchDynamoException

from marl_core.config.run import TrainingConfig
from marl_core.errors import UserError
from marl_core.training.devices import device_of

#: What comes before a compiler's own words in torch's messages.
_OUTPUT = "Output:"


def check_compiler(training: TrainingConfig) -> None:
    """Compile next to nothing, before a run folder is begun.

    Args:
        training: says on what is computed.

    Raises:
        UserError: torch cannot compile here.
    """

    def double(values: Tensor) -> Tensor:
        return values * 2

    device = device_of(training)
    try:
        torch.compile(double, dynamic=False)(torch.ones(8, device=device))
    except TorchDynamoException as error:
        raise refusal("anything here", error) from error


def refusal(what: str, error: Exception) -> UserError:
    """The error that says why torch cannot compile.

    Args:
        what: shall be compiled.
        error: torch's.
    """
    reason = f"torch cannot compile {what}: {_reason(str(error))}"
    return UserError(f"{reason}{_advice()}", "training", "compile")


def _reason(said: str) -> str:
    """What the compiler says, or else torch, as one line."""
    _, found, output = said.partition(_OUTPUT)
    lines = (output if found else said).strip().splitlines()
    first = said.strip().partition("\n")[0]
    return next((line.strip() for line in lines if line.strip()), first)


def _advice() -> str:
    """What to do about paths with spaces, which compilers are given as they are."""
    cache = os.environ.get("TORCHINDUCTOR_CACHE_DIR", "")
    temporary = tempfile.gettempdir()
    used = (cache, temporary, sys.prefix, str(Path(torch.__file__).parent))
    spaced = [path for path in used if " " in path]
    if not spaced:
        return ""
    variables = "TMPDIR and TORCHINDUCTOR_CACHE_DIR choose other folders"
    return (
        f"; torch may not compile where a path has spaces ('{spaced[0]}'): {variables}"
    )
