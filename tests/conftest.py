"""Shapes and types of everything are checked in all tests; Hypothesis draws the same examples every time."""

from __future__ import annotations

import signal

from hypothesis import HealthCheck, settings
from jaxtyping import install_import_hook

from tests import typechecker

# Only what is imported after this line is checked.
install_import_hook(["marl_core", "marl_envs", "marl_pr"], f"{typechecker.__name__}.check_types")

settings.register_profile(
    "marl", derandomize=True, deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("marl")

# A shell starts what it puts in the background with Ctrl-C ignored, and every process that tests start would inherit
# that; those are to hear it.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
