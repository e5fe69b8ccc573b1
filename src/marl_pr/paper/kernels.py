"""Compiled kernels, where they are there: battles and attention several times as fast."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Literal

from marl_core.compiled_code import compiler
from marl_core.errors import UserError


def battle_kernels() -> Literal["torch", "warp"]:
    """What computes the script of ADCA: Warp, if it is installed."""
    return "torch" if find_spec("warp") is None else "warp"


def attention_kernels() -> Literal["torch", "native"]:
    """What computes the attention of Conc4Hist: our own C++, if there is a compiler."""
    try:
        compiler()
    except UserError:
        return "torch"
    return "native"
