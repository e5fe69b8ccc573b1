"""A process that was started for a run: what it was told, and that it ends with its parent.

Nothing heavy is imported here, so that a process can be followed from its first moment on.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from typing import Any

#: What a process is told that starts for a run: a JSON object with ``parent`` (the number of the
#: process that started it), ``place`` and ``folder``.
VARIABLE = "MARL_PROCESS"
#: Seconds from one look at the parent to the next.
_PERIOD = 0.1
_said: dict[str, Any] | None = None


def said_by_parent() -> dict[str, Any] | None:
    """What the process was told that started this one for a run; None where nobody did.

    The variable is taken away, so that programs which this process starts are not told the same.
    A process whose parent has ended since then ends at once.
    """
    global _said
    text = os.environ.pop(VARIABLE, None)
    if text is not None:
        saying: dict[str, Any] = json.loads(text)
        _said = saying
        end_with(saying["parent"], _line(saying))
    return _said


def end_with(parent: int, line: str | None) -> None:
    """Have this process end when its parent does.

    Args:
        parent: the number of the parent's process.
        line: what is said then; None: nothing.
    """

    def follow() -> None:
        while os.getppid() == parent:
            time.sleep(_PERIOD)
        if line is not None:
            print(line, file=sys.stderr, flush=True)
        os._exit(1)

    threading.Thread(target=follow, name="parent", daemon=True).start()


def _line(saying: dict[str, Any]) -> str | None:
    """What to say when the parent is gone; one process of a machine says it."""
    place = saying["place"]
    if place["local_rank"] != 1:
        return None
    rank = place["rank"] - 1
    goes_on = f"`marl resume {saying['folder']}` goes on from the newest checkpoint"
    return f"marl: rank {rank} has ended, so the run stops; {goes_on}"
