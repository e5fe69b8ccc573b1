"""An environment that holds something is closed when it is not needed, however a run ends."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from marl_core.testing.practice import Practice, PracticeConfig
from marl_core.types import EnvironmentSpec, Observation, StepResult
from tests.support.runs import go_on, run_data, start

#: The environments that were built and not closed yet.
OPEN: list[Held] = []


class Held:
    """A mine that has to be closed."""

    Config = PracticeConfig
    fails_at: int | None = None

    def __init__(
        self,
        config: PracticeConfig,
        *,
        games: int,
        device: torch.device | str,
        generator: torch.Generator,
    ) -> None:
        self._mine = Practice(config, games=games, device=device, generator=generator)
        self._steps = 0
        OPEN.append(self)

    @property
    def spec(self) -> EnvironmentSpec:
        return self._mine.spec

    def reset(self, games: Tensor | None = None) -> Observation:
        return self._mine.reset(games)

    def step(self, actions: Tensor) -> StepResult:
        self._steps += 1
        if self._steps == self.fails_at:
            raise RuntimeError("the mine collapses")
        return self._mine.step(actions)

    def close(self) -> None:
        OPEN.remove(self)  # and raises where it is closed twice


def held_run() -> dict[str, Any]:
    data = run_data("ppo_ma", (2, 2))
    data["environment"] = {"name": f"{__name__}:Held"}
    return data


def test_every_environment_is_closed_once(tmp_path: Path) -> None:
    go_on(start(tmp_path, held_run()))
    assert OPEN == []


def test_games_in_training_are_closed_where_the_run_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Later than an evaluation is long, and before the end of the first stage.
    monkeypatch.setattr(Held, "fails_at", 8)
    with pytest.raises(RuntimeError, match="collapses"):
        go_on(start(tmp_path, held_run()))
    assert OPEN == []
