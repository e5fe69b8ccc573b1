"""The ``marl`` command, of which rank 0 meets a fault: ``FAULT=kind:at`` below ``FAULT_FOLDER``.

The operations are written to ``FAULT_LOG`` where there is no fault.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import cast

from marl_core.cli import main
from tests.support.faults import Fault, Kind, injected


def run() -> None:
    """Run ``marl``."""
    kind, _, at = os.environ.get("FAULT", "none:0").partition(":")
    folder = Path(os.environ.get("FAULT_FOLDER", "/nowhere"))
    if os.environ.get("LOCAL_RANK", "0") != "0":
        main()
        return
    fault = Fault(folder, cast(Kind, kind), int(at))
    try:
        with injected(fault):
            main()
    finally:
        if kind == "none" and "FAULT_LOG" in os.environ:
            Path(os.environ["FAULT_LOG"]).write_text("\n".join(fault.operations))


if __name__ == "__main__":
    run()
