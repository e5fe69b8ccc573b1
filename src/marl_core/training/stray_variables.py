"""Variables of launchers that name no rank.

Lightning reads them where it is imported, and fails on what is not a number.
"""

from __future__ import annotations

import os
import sys

from marl_core.errors import printable

_VARIABLES = ("RANK", "LOCAL_RANK", "SLURM_PROCID", "JSM_NAMESPACE_RANK")


def drop_stray_ranks() -> None:
    """Remove those that are no numbers from the environment; a line says so for each."""
    for name in _VARIABLES:
        value = os.environ.get(name)
        if value is None or (value.isascii() and value.isdecimal()):
            continue
        del os.environ[name]
        line = f"marl: {name} is '{value}', which is no rank; it is ignored"
        print(printable(line), file=sys.stderr)
