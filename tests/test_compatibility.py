"""Parts of a config that do not fit each other are refused, both sides named."""

from __future__ import annotations

from dataclasses import replace

import pytest

from marl_core.config.run import RunConfig
from marl_core.errors import UserError
from marl_core.hosts.ppo_ma import PPOMA
from marl_core.training.stages import check
from tests.runs import run_data


@pytest.mark.parametrize(
    ("needs", "message"),
    [
        (replace(PPOMA.needs, on_policy=False), "'ppo_ma' is off-policy"),
        (replace(PPOMA.needs, entities=True), "'ppo_ma' needs entities .*'fme'"),
        (replace(PPOMA.needs, state=True), "'ppo_ma' needs state .*'fme'"),
        (replace(PPOMA.needs, scores="values"), "'ppo_ma' .*'entropy_sampling'"),
    ],
    ids=["replay", "entities", "state", "scores"],
)
def test_what_a_host_needs_and_nobody_gives(monkeypatch: pytest.MonkeyPatch, needs: object, message: str) -> None:
    monkeypatch.setattr(PPOMA, "needs", needs)
    with pytest.raises(UserError, match=message):
        check(RunConfig.model_validate(run_data()))
