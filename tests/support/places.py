"""Where things are in the repository."""

from __future__ import annotations

from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
EXAMPLES = REPOSITORY / "examples"
SUPPORT = REPOSITORY / "tests" / "support"
GOLDEN = REPOSITORY / "tests" / "golden"
