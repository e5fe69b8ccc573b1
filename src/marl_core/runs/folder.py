"""What a run leaves on disk, and how it is read again."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, final

import numpy as np
from jaxtyping import Float

from marl_core.base_config import Code
from marl_core.config.module_folders import folders_of_named_modules, modules_in
from marl_core.config.run import RunConfig
from marl_core.config.yaml_file import dump_run, load_run
from marl_core.errors import UserError
from marl_core.runs.changes import first_change
from marl_core.runs.checkpoint_file import logged_at
from marl_core.runs.checkpoints import Checkpoints
from marl_core.runs.metrics_rows import difference
from marl_core.runs.provenance import provenance
from marl_core.runs.regular_files import read_bytes
from marl_core.runs.source_files import sources_of
from marl_core.runs.whole_writes import create_output_folder, write_whole


@final
class RunFolder:
    """A run's files.

    ``config.yaml`` (resolved), ``versions.json``, ``metrics.csv``, ``checkpoints/last.ckpt`` and
    the one before it, ``previous.ckpt``, ``summary.json``; of a transferred run
    ``checkpoints/start.pt``, with which it begins.

    Args:
        path: of the folder, which need not exist yet.
        trust: whether the code that the folder names may be run.
        checkpoint: which kept checkpoint is read, as ``best``, or ``start``, the run before any
            training; None: the newest.
    """

    def __init__(
        self,
        path: Path,
        *,
        trust: bool = False,
        checkpoint: str | None = None,
    ) -> None:
        self.path = path
        self.trust = trust
        self._chosen = checkpoint
        self.config_file = path / "config.yaml"
        self.versions = path / "versions.json"
        self.metrics = path / "metrics.csv"
        self.checkpoints = Checkpoints(path / "checkpoints")
        self.checkpoint = self.checkpoints.newest
        self.start = path / "checkpoints" / "start.pt"
        self.summary = path / "summary.json"
        self.policies_folder = path / "policies"

    def create(self, config: RunConfig, start: bytes | None = None) -> None:
        """Start a new run here. Where the modules are that the config names is remembered.

        Where it cannot be started, nothing of it is left.

        Args:
            config: the run's.
            start: the file of parameters with which the run begins, if it does.

        Raises:
            UserError: there is a run here already, or the folder cannot be created.
            OSError: a file cannot be written. It names the file.
        """
        self.refuse_another_run(config)
        try:
            self._begin(config, start)
        except BaseException:
            self._remove_beginning()
            raise

    def _begin(self, config: RunConfig, start: bytes | None) -> None:
        create_output_folder(self.path, "run folder")
        create_output_folder(self.checkpoint.parent, "folder of checkpoints")
        # One that a killed transfer has left is not this run's.
        self.start.unlink(missing_ok=True)
        if start is not None:
            write_whole(self.start, start)
        modules = folders_of_named_modules(config.model_dump(mode="json"))
        made_with = provenance(modules, config.training.threads)
        made_with["sources"] = sources_of(config)
        write_whole(self.versions, json.dumps(made_with, indent=2).encode())
        # Last: a folder with a config is a run.
        write_whole(self.config_file, dump_run(config).encode())

    def _remove_beginning(self) -> None:
        if self.config_file.exists():
            return
        with suppress(OSError):
            self.start.unlink(missing_ok=True)
            self.versions.unlink(missing_ok=True)
            self.checkpoint.parent.rmdir()

    def refuse_another_run(self, config: RunConfig) -> None:
        """See that no run is here yet.

        Args:
            config: of the run that shall begin.

        Raises:
            UserError: there is one. The message says whether it is the same run, begun already.
        """
        if self.config_file.exists():
            raise UserError(f"{self.path}: {self._what_is_here(config)}")
        if self.checkpoints.exist():  # which a new run would take for its own
            message = "there is a checkpoint here, but no config.yaml of its run"
            raise UserError(f"{self.path}: {message}")

    def holds(self, config: RunConfig) -> bool:
        """Whether a run is here already that learns what one by this config would.

        Args:
            config: of the other run.
        """
        if not self.config_file.is_file():
            return False
        before = self.read_config().model_dump(mode="json")
        return first_change(config, before) is None

    def _what_is_here(self, config: RunConfig) -> str:
        before = self.read_config().model_dump(mode="json")
        changed = first_change(config, before)
        elsewhere = "choose another folder (--run-dir, or out= in Python)"
        if changed is None:
            goes_on = f"`marl resume {self.path}` continues it"
            return f"there is a run here already; {goes_on}; to start anew, {elsewhere}"
        return f"there is another run here already, with another {changed}; {elsewhere}"

    def load_config(self) -> RunConfig:
        """The run's config; its modules are looked for where they were when the run began.

        Raises:
            UserError: there is no run here, its config is no longer valid, or it names code and the
                folder is not trusted.
        """
        if not self.trust:
            return self._validated("known")
        with modules_in(self.module_folders()):
            return self._validated("import")

    def read_config(self) -> RunConfig:
        """The run's config as data: nothing that it names is imported.

        Settings of parts that are named as ``module:Class`` are taken as they are.

        Raises:
            UserError: there is no run here, or its config is no longer valid.
        """
        return self._validated("leave")

    def _validated(self, code: Code) -> RunConfig:
        if not self.config_file.is_file():  # a pipe is none
            raise UserError(f"{self.path}: no run here: there is no config.yaml")
        return load_run(self.config_file, code=code)

    def module_folders(self) -> tuple[str, ...]:
        """The folders of the modules that the config names."""
        try:
            modules = json.loads(self.versions.read_bytes())["modules"]
        except (OSError, ValueError, LookupError, TypeError, RecursionError):
            return ()  # provenance is lost, the run need not be
        if isinstance(modules, str):  # as older versions wrote it
            return (modules,)
        return tuple(map(str, modules)) if isinstance(modules, list) else ()

    def load_checkpoint(self) -> dict[str, Any] | None:
        """The newest sound checkpoint, on the CPU, or the kept one that was asked for.

        Returns:
            None where the run never got to its first, and at its start.

        Raises:
            UserError: the file is no checkpoint of a run, or of another version; or there is no
                such kept checkpoint.
        """
        if self.is_asked_for_start:
            return None
        if self._chosen is None:
            return self.checkpoints.read()
        return self.checkpoints.read_kept(self._chosen)

    @property
    def is_asked_for_start(self) -> bool:
        """Whether it is the team before any training that is looked at."""
        return self._chosen == "start"

    def kept(self, name: str) -> Path:
        """The file of a checkpoint that is kept (``training.keep``).

        Args:
            name: as ``best``.
        """
        return self.checkpoints.kept(name)

    def take_up_checkpoint(self) -> dict[str, Any] | None:
        """The checkpoint from which the run goes on: the newest that is sound, and of which
        ``metrics.csv`` has all lines. None where the run begins.

        Raises:
            UserError: there are checkpoints, and none of them is so.
        """
        return self.checkpoints.take_up(self._missing_of_the_log)

    def _missing_of_the_log(self, saved: dict[str, Any]) -> str | None:
        return difference(self.metrics, logged_at(saved))

    def write_policies(
        self,
        episodes: int,
        policies: Float[np.ndarray, "M N A"],
    ) -> None:
        """Write ``policies/EPISODES.npy``.

        Args:
            episodes: trained until now.
            policies: every agent's policy in every distinct observation, ``[M, N, A]``.
        """
        content = io.BytesIO()
        np.save(content, policies, allow_pickle=False)
        self.policies_folder.mkdir(exist_ok=True)
        file = self.policies_folder / f"{episodes:010d}.npy"
        write_whole(file, content.getvalue())

    def policies(self) -> list[tuple[int, Float[np.ndarray, "M N A"]]]:
        """What ``training.record_policies`` has kept: episodes trained, and the policies then."""
        files = sorted(self.policies_folder.glob("*.npy"))
        return [(int(file.stem), np.load(file, allow_pickle=False)) for file in files]

    def has_summary(self) -> bool:
        """Whether ``summary.json`` is there and can be read."""
        try:
            return isinstance(json.loads(read_bytes(self.summary)), dict)
        except (OSError, ValueError, RecursionError):
            return False

    def write_summary(
        self,
        summary: Mapping[str, Any],
    ) -> None:
        """Write ``summary.json``.

        Args:
            summary: what it holds, as JSON.
        """
        text = json.dumps(summary, indent=2) + "\n"
        write_whole(self.summary, text.encode())
