"""What had been logged when a checkpoint was written."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import final


@final
@dataclass(frozen=True)
class Logged:
    """The lines of ``metrics.csv`` at a time.

    Attributes:
        rows: how many there were.
        sha256: of all of them.
    """

    rows: int
    sha256: str


@final
class RowCounter:
    """Counts lines and takes their hash as they come.

    Columns that come later do not change it: only a line's own values count.
    """

    def __init__(self) -> None:
        self._rows = 0
        self._hash = hashlib.sha256()

    def add(self, row: Mapping[str, str]) -> None:
        """Count a line.

        Args:
            row: its values by their columns, without empty ones.
        """
        self._rows += 1
        values = json.dumps(sorted(row.items()))
        self._hash.update(values.encode() + b"\n")

    @property
    def logged(self) -> Logged:
        """What has been counted until now."""
        return Logged(self._rows, self._hash.hexdigest())
