"""Small sweeps, and environments that end their run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from marl_core.config.run import RunConfig
from marl_core.registry import look_for_modules_in
from marl_core.sweep import Job
from tests.support.runs import run_data

#: A module beside a config. ``end`` says how the run ends, unless there is a file ``unless``.
MORTAL = '''
import os
import signal
import sys
from pathlib import Path

from marl_envs.fme import FME, FMEConfig


class MortalConfig(FMEConfig):
    end: str
    unless: str


class Mortal(FME):
    """An environment that ends its run."""

    Config = MortalConfig

    def __init__(self, config, **others):
        super().__init__(config, **others)
        self.config = config

    def step(self, actions):
        if not Path(self.config.unless).exists():
            if self.config.end == "raise":
                raise RuntimeError("mortal,\\nand dead")
            if self.config.end == "sys.exit":
                sys.exit(3)
            if self.config.end == "exit":
                os._exit(3)
            os.kill(os.getpid(), signal.SIGKILL)
        return super().step(actions)
'''


def config(
    seed: int = 3, stages: int = 1, updates: int = 3, **training: Any
) -> RunConfig:
    """A short run of one or two stages."""
    data = run_data("pr_fast", (updates, updates), **training)
    return RunConfig.model_validate(
        {**data, "seed": seed, "stages": data["stages"][:stages]}
    )


def mortal_config(folder: Path, end: str) -> RunConfig:
    """A run that ends by ``raise``, ``sys.exit``, ``exit`` or ``kill``.

    Once a file ``healed`` is in the folder, it ends as runs should.
    """
    (folder / "mortal.py").write_text(MORTAL)
    look_for_modules_in(str(folder))
    data = run_data("pr_fast", (3, 3))
    environment = {
        "end": end,
        "unless": str(folder / "healed"),
        "tag": "1A1B1C",
        "agents": 5,
    }
    return RunConfig.model_validate(
        {**data, "environment": {"name": "mortal:Mortal", **environment}}
    )


def chain(seed: int, updates: int = 3, **training: Any) -> list[Job]:
    """A run and its continuation, the latter first."""
    one, two = (config(seed, stages, updates, **training) for stages in (1, 2))
    return [Job(f"two-{seed}", two, f"one-{seed}"), Job(f"one-{seed}", one)]
