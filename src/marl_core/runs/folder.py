"""What a run leaves behind, and how it is read again."""

from __future__ import annotations

import io
import json
import platform
import subprocess
import sys
import warnings
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from lightning.fabric.plugins import TorchCheckpointIO

from marl_core.config.run import RunConfig
from marl_core.config.yaml_file import dump_run, load_run
from marl_core.errors import UserError
from marl_core.registry import look_for_modules_in
from marl_core.runs.whole_writes import create_output_folder, write_whole
from marl_core.types import Progress


class RunFolder:
    """``config.yaml`` (resolved), ``versions.json``, ``metrics.csv``, ``checkpoints/last.ckpt``, ``summary.json``."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.config_file = path / "config.yaml"
        self.metrics = path / "metrics.csv"
        self.checkpoint = path / "checkpoints" / "last.ckpt"
        self.summary = path / "summary.json"
        self.policies_folder = path / "policies"

    def create(self, config: RunConfig, modules: Sequence[Path] = ()) -> None:
        """Start a new run here. Raises ``UserError`` where there is one already.

        Args:
            config: the run's.
            modules: folders of the modules that the config names; remembered, so that the run finds them again.
        """
        if self.config_file.exists():
            raise UserError(f"{self.path}: there is a run here already; `marl resume {self.path}` continues it")
        if self.checkpoint.exists():  # which a new run would take for its own
            raise UserError(f"{self.path}: there is a checkpoint here, but no config.yaml of its run")
        create_output_folder(self.path, "run folder")
        create_output_folder(self.checkpoint.parent, "folder of checkpoints")
        write_whole(self.path / "versions.json", json.dumps(_versions(modules), indent=2).encode())
        write_whole(self.config_file, dump_run(config).encode())  # last: a folder with a config is a run

    def load_config(self) -> RunConfig:
        """The run's config. Modules that it names are from here on looked for where they were when the run began."""
        if not self.config_file.is_file():
            raise UserError(f"{self.path}: no run here: there is no config.yaml")
        try:
            modules = json.loads((self.path / "versions.json").read_bytes())["modules"]
        except (OSError, ValueError, LookupError, TypeError):
            modules = None  # provenance is lost, the run need not be
        if isinstance(modules, str):  # as older versions wrote it
            modules = [modules]
        if isinstance(modules, list):
            look_for_modules_in(*map(str, modules))
        return load_run(self.config_file)

    def load_checkpoint(self) -> dict[str, Any] | None:
        """The newest checkpoint, on the CPU; None where the run never got to its first."""
        if not self.checkpoint.exists():
            return None
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # torch wonders about files that are refused anyway
                saved = torch.load(self.checkpoint, map_location="cpu", weights_only=True)
        except Exception as error:  # whatever torch makes of bytes that are no checkpoint
            raise UserError(f"{self.checkpoint}: this is no checkpoint of a run ({type(error).__name__})") from error
        if not isinstance(saved, dict):
            raise UserError(f"{self.checkpoint}: this is no checkpoint of a run (it is a {type(saved).__name__})")
        try:
            Progress(**saved["marl"]["progress"])
            for part in (
                saved["state_dict"],
                saved["optimizer_states"][0],
                *saved["marl"]["ranks"],
                saved["marl"]["config"],
            ):
                dict(part)  # each of them is a mapping
        except (LookupError, TypeError, ValueError) as error:
            message = f"{self.checkpoint}: this is no checkpoint of a run (it holds no training progress)"
            raise UserError(message) from error
        return saved

    def write_policies(self, episodes: int, policies: Float[np.ndarray, "M N A"]) -> None:
        """Write ``policies/EPISODES.npy``: every agent's policy in every distinct observation."""
        content = io.BytesIO()
        np.save(content, policies, allow_pickle=False)
        self.policies_folder.mkdir(exist_ok=True)
        write_whole(self.policies_folder / f"{episodes:010d}.npy", content.getvalue())

    def policies(self) -> list[tuple[int, Float[np.ndarray, "M N A"]]]:
        """What ``training.record_policies`` has kept: episodes trained, and the policies then."""
        files = sorted(self.policies_folder.glob("*.npy"))
        return [(int(file.stem), np.load(file, allow_pickle=False)) for file in files]

    def write_summary(self, summary: Mapping[str, Any]) -> None:
        """Write ``summary.json``."""
        write_whole(self.summary, (json.dumps(summary, indent=2) + "\n").encode())


def _versions(modules: Sequence[Path]) -> dict[str, Any]:
    packages = ("policy-resonance", "torch", "lightning", "numpy", "pydantic")
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        **{name: version(name) for name in packages},
        "commit": _git("rev-parse", "HEAD"),
        "uncommitted_changes": bool(_git("status", "--porcelain")),
        "command": sys.argv,
        "modules": [str(folder.resolve()) for folder in modules],
    }


def _git(*arguments: str) -> str | None:
    """What git says of the checkout this code runs from; None where it does not."""
    try:
        done = subprocess.run(
            ["git", *arguments], cwd=Path(__file__).parent, capture_output=True, text=True, timeout=10, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
