"""A number that is not finite stops the run, in one line, with the last good checkpoint kept."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from marl_core.config.run import RunConfig
from marl_core.errors import UserError
from marl_core.evaluation.evaluate import evaluate
from marl_core.hosts.ppo.ppo_ma import PPOMA
from marl_core.learning import LearningContext
from marl_core.protocols import IndividualPolicy
from marl_core.runs.assembly import first_state
from marl_core.runs.folder import RunFolder
from marl_core.testing.practice import Practice
from marl_core.types import Loss, Observation, Rollout, StepResult
from tests.support.runs import go_on, run_data, start

HERE = __name__
#: The first update in which something goes wrong.
WRONG_AT = 5


class LossGoesWrong(PPOMA):  # type: ignore[misc]
    """PPO whose loss is NaN from one update on."""

    def losses(
        self, rollout: Rollout, policy: IndividualPolicy, context: LearningContext
    ) -> Iterator[Loss]:
        factor = float("nan") if rollout.progress.updates + 1 >= WRONG_AT else 1.0
        for loss in super().losses(rollout, policy, context):
            yield replace(loss, total=loss.total * factor)


class RewardGoesWrong(Practice):  # type: ignore[misc]
    """A mine that pays infinitely much, or NaN, once in a long while."""

    def step(self, actions: Tensor) -> StepResult:
        self._calls = getattr(self, "_calls", 0) + 1
        result = super().step(actions)
        if self._calls < 6 * WRONG_AT:
            return result
        return replace(result, team_reward=result.team_reward * float("inf"))


class SightGoesWrong(Practice):  # type: ignore[misc]
    """A mine in which agents see NaN after some steps."""

    def step(self, actions: Tensor) -> StepResult:
        self._calls = getattr(self, "_calls", 0) + 1
        result = super().step(actions)
        if self._calls < 6 * WRONG_AT:
            return result
        seen = result.observation
        assert seen.features is not None
        assert seen.entities is not None
        wrong = Observation(
            **{
                **vars(seen),
                "features": seen.features * float("nan"),
                "entities": seen.entities * float("nan"),
            }
        )
        return replace(result, observation=wrong)


def data_for(host: str, **training: Any) -> dict[str, Any]:
    """A short run; only a policy network has a head that could be copied."""
    second = "pr" if host == "qmix" else "pr_fast"
    return run_data(second, host=host, **training)


def refused(folder: RunFolder) -> str:
    with pytest.raises(UserError) as error:
        go_on(folder)
    assert "\n" not in str(error.value)
    return str(error.value)


def nothing_wrong_is_kept(folder: RunFolder) -> None:
    """No summary; every parameter of the newest checkpoint, and every number logged, is finite."""
    assert not folder.summary.exists()
    assert "nan" not in folder.metrics.read_text()
    saved = folder.load_checkpoint()
    if saved is not None:
        assert all(value.isfinite().all() for value in saved["state_dict"].values())


@pytest.mark.parametrize("host", ["ppo_ma", "qmix", "conc4hist"])
def test_a_learning_rate_beyond_all_bounds(host: str, tmp_path: Path) -> None:
    data = data_for(host)
    data["host"]["learning_rate"] = 1e30
    folder = start(tmp_path, data)
    message = refused(folder)
    assert message.startswith("update ")
    assert "nan" in message or "inf" in message
    nothing_wrong_is_kept(folder)


def test_a_loss_that_becomes_nan(tmp_path: Path) -> None:
    data = run_data()
    data["host"]["name"] = f"{HERE}:LossGoesWrong"
    folder = start(tmp_path, data)
    assert refused(folder).startswith(f"update {WRONG_AT}: ")
    nothing_wrong_is_kept(folder)
    saved = folder.load_checkpoint()
    assert saved is not None
    assert saved["marl"]["progress"]["updates"] == 3, "the newest checkpoint before"


@pytest.mark.parametrize("environment", ["RewardGoesWrong", "SightGoesWrong"])
@pytest.mark.parametrize("host", ["ppo_ma", "qmix", "conc4hist"])
def test_an_environment_that_gives_numbers_beyond_all_bounds(
    host: str, environment: str, tmp_path: Path
) -> None:
    data = data_for(host, evaluate_every=1000)
    data["environment"] = {"name": f"{HERE}:{environment}"}
    folder = start(tmp_path, data)
    message = refused(folder)
    assert ("reward" if environment == "RewardGoesWrong" else "") in message
    nothing_wrong_is_kept(folder)


@pytest.mark.parametrize("host", ["ppo_ma", "qmix"])
def test_scores_that_are_not_finite_are_not_evaluated(host: str) -> None:
    state = first_state(RunConfig.model_validate(data_for(host)))
    assert isinstance(state.host, torch.nn.Module)
    with torch.no_grad():
        for parameter in state.host.parameters():
            parameter.fill_(float("nan"))
    with pytest.raises(UserError, match="not finite"):
        evaluate(state, 4)


def test_entries_after_the_end_of_a_game_may_be_anything(tmp_path: Path) -> None:
    data: dict[str, Any] = run_data(updates=(2, 1))
    data["environment"] = {"name": f"{HERE}:JunkAfterTheEnd"}
    folder = start(tmp_path, data)
    go_on(folder)
    assert json.loads(folder.summary.read_text())["updates"] == 3


class JunkAfterTheEnd(Practice):  # type: ignore[misc]
    """A mine that pays NaN in games that are over."""

    _over: Tensor | None = None

    def reset(self, games: Tensor | None = None) -> Observation:
        if self._over is not None:
            self._over = self._over & (False if games is None else ~games)
        return super().reset(games)

    def step(self, actions: Tensor) -> StepResult:
        result = super().step(actions)
        over = torch.zeros_like(result.terminated) if self._over is None else self._over
        self._over = over | result.ended
        reward = result.team_reward.masked_fill(over, float("nan"))
        individual = result.individual_reward
        assert individual is not None
        own = individual.masked_fill(over.unsqueeze(-1), float("nan"))
        return replace(result, team_reward=reward, individual_reward=own)
