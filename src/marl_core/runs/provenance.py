"""What a run was made with: versions, machine, commit, command."""

from __future__ import annotations

import os
import platform
import re
import subprocess
import sys
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import Any

import torch

#: The distribution that this code is part of.
DISTRIBUTION = "policy-resonance"


def provenance(modules: Sequence[Path], threads: int | None = None) -> dict[str, Any]:
    """What ``versions.json`` of a run folder says.

    Args:
        modules: folders of the modules that the run's config names.
        threads: CPU threads that the config asks for; None: torch's choice.
    """
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cpu": cpu_name(),
        "cpus": os.cpu_count(),
        "gpus": _gpu_names(),
        "threads": threads or torch.get_num_threads(),
        "packages": _packages(),
        "commit": _git("rev-parse", "HEAD"),
        "uncommitted_changes": bool(_git("status", "--porcelain")),
        "command": sys.argv,
        "modules": [str(folder.resolve()) for folder in modules],
    }


def installed_version() -> str:
    """The version of this distribution."""
    return version(DISTRIBUTION)


def cpu_name() -> str:
    """The model of this machine's CPU, as far as the system tells it."""
    try:
        described = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        described = ""
    found = re.search(r"^model name\s*:\s*(.+)$", described, re.MULTILINE)
    if found is not None:
        return found.group(1).strip()
    return platform.processor() or platform.machine()


def _gpu_names() -> list[str]:
    if not torch.cuda.is_available():
        return []
    devices = range(torch.cuda.device_count())
    return [torch.cuda.get_device_name(device) for device in devices]


def _packages() -> dict[str, str]:
    """The versions of this distribution and of everything that it can use, if it is installed."""
    found: dict[str, str] = {}
    for requirement in [DISTRIBUTION, *(requires(DISTRIBUTION) or ())]:
        name = re.split(r"[^\w.-]", requirement, maxsplit=1)[0]
        try:
            found[name] = version(name)
        except PackageNotFoundError:  # of an extra
            continue
    return found


def _git(*arguments: str) -> str | None:
    """What git says of the checkout this code runs from; None where it does not."""
    try:
        done = subprocess.run(
            ["git", *arguments],
            cwd=Path(__file__).parent,
            capture_output=True,
            text=True,
            timeout=10,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
