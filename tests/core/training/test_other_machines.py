"""A run that goes on elsewhere: other numbers of processes, other devices, mixed precision."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from marl_core.collection.collector import Collector
from marl_core.config.run import RunConfig
from marl_core.config.yaml_file import dump_run
from marl_core.errors import UserError
from marl_core.exploration.coupled import CoupledExploration
from marl_core.exploration.entropy_sampling import EntropySampling
from marl_core.hosts.ppo.config import PPOMAConfig
from marl_core.hosts.ppo.ppo_ma import PPOMA
from marl_core.rng import Generators
from marl_core.runs.folder import RunFolder
from marl_core.testing.practice import Practice, PracticeConfig
from marl_core.types import Observation, Progress, StepResult
from tests.support.checkpoints import write_checkpoint
from tests.support.runs import go_on, run_data, start


def begun(path: Path, change: Callable[[dict[str, Any]], None]) -> RunFolder:
    """A run of two stages, of which the first is trained, with a change in its checkpoint."""
    data = run_data("ppo_ma", (3, 3))
    folder = start(path, {**data, "stages": data["stages"][:1]})
    go_on(folder)
    saved = torch.load(folder.checkpoint, weights_only=True)
    change(saved)
    write_checkpoint(saved, folder.checkpoint)
    folder.config_file.write_text(dump_run(RunConfig.model_validate(data)))
    return folder


def refused(folder: RunFolder) -> str:
    with pytest.raises(UserError) as error:
        go_on(folder)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_a_run_of_two_processes_does_not_go_on_in_one(tmp_path: Path) -> None:
    def two_ranks(saved: dict[str, Any]) -> None:
        progress = {"stage": 1, "stage_episodes": 16, "episodes": 64, "updates": 4}
        saved["marl"]["progress"] |= {**progress, "environment_steps": 192}
        saved["marl"]["ranks"] *= 2
        config = RunConfig.model_validate(run_data("ppo_ma", (3, 3)))
        saved["marl"]["config"] = config.model_dump(mode="json")

    message = refused(begun(tmp_path, two_ranks))
    assert "the checkpoint is of 2 processes, and there are 1" in message


def test_streams_of_another_kind_of_device_are_refused() -> None:
    here = Generators(0, 0, "cpu")
    _ = here["environment"]
    elsewhere = {"environment": torch.zeros(16, dtype=torch.uint8)}
    with pytest.raises(UserError, match="device 'cpu'"):
        here.load_state_dict(elsewhere)


class Curious:
    """Any environment, and whether mixed precision reached it."""

    def __init__(self, environment: Practice) -> None:
        self._environment = environment
        self.seen: set[torch.dtype] = set()

    @property
    def spec(self) -> Any:
        return self._environment.spec

    def _look(self) -> None:
        ones = torch.ones(2, 2)
        self.seen.add((ones @ ones).dtype)

    def reset(self, games: Tensor | None = None) -> Observation:
        self._look()
        return self._environment.reset(games)

    def step(self, actions: Tensor) -> StepResult:
        self._look()
        return self._environment.step(actions)


def test_games_are_played_in_full_precision_where_networks_are_not() -> None:
    generator = torch.Generator().manual_seed(0)
    practice = Practice(PracticeConfig(), games=4, device="cpu", generator=generator)
    curious = Curious(practice)
    host = PPOMA(PPOMAConfig(), curious.spec, generator)
    team = CoupledExploration(EntropySampling())
    with torch.autocast("cpu", dtype=torch.bfloat16):
        ones = torch.ones(2, 2)
        assert (ones @ ones).dtype == torch.bfloat16
        Collector(curious, generator, episodes=8).collect(host, team, Progress())
    assert curious.seen == {torch.float32}
