"""Parts of a config that do not fit each other are refused, both sides named."""

from __future__ import annotations

from dataclasses import replace

import pytest

from marl_core.base_config import validate_strictly
from marl_core.config.run import RunConfig
from marl_core.errors import UserError
from marl_core.hosts.ppo.ppo_ma import PPOMA
from marl_core.runs.compatibility import check_compatible, first_change
from marl_core.training.stages import check, environment_spec
from tests.support.runs import run_data


@pytest.mark.parametrize(
    ("needs", "message"),
    [
        (
            replace(PPOMA.needs, on_policy=False),
            "'ppo_ma' is off-policy, but its `replay` says nothing",
        ),
        (replace(PPOMA.needs, entities=True), "'ppo_ma' needs entities .*'fme'"),
        (replace(PPOMA.needs, scores="values"), "'ppo_ma' .*'entropy_sampling'"),
    ],
    ids=["replay", "entities", "scores"],
)
def test_what_a_host_needs_and_nobody_gives(
    monkeypatch: pytest.MonkeyPatch, needs: object, message: str
) -> None:
    monkeypatch.setattr(PPOMA, "needs", needs)
    with pytest.raises(UserError, match=message):
        check(RunConfig.model_validate(run_data()))


def test_a_host_that_needs_a_state_nobody_gives(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(PPOMA, "needs", replace(PPOMA.needs, state=True))
    config = RunConfig.model_validate(run_data())
    spec = replace(environment_spec(config), state_features=None)
    with pytest.raises(UserError, match=r"'ppo_ma' needs state .*'fme'"):
        check_compatible(config, spec)


@pytest.mark.parametrize(
    ("host", "devices", "message"),
    [
        (
            {"batch_episodes": 20, "replay_episodes": 10},
            1,
            "a batch of 20 episodes cannot come from a replay of 10",
        ),
        ({"batch_episodes": 9}, 2, "2 devices cannot share batches of 9 episodes"),
        (
            {"replay_episodes": 4999},
            2,
            "2 devices cannot share .* a replay of 4999 equally",
        ),
    ],
)
def test_replays_that_give_no_batch(
    host: dict[str, int], devices: int, message: str
) -> None:
    data = run_data(devices=devices) | {
        "host": {"name": "qmix", **host},
        "exploration": {"name": "epsilon_greedy"},
    }
    data["stages"] = [{"episodes": 16}]
    with pytest.raises(UserError, match=message):
        check(RunConfig.model_validate(data))


def test_settings_that_came_later_have_been_their_defaults() -> None:
    """A run that an earlier version began, which knew fewer settings, goes on; what it was not is a change."""
    config = validate_strictly(RunConfig, run_data())
    before = config.model_dump(mode="json")
    del (
        before["host"]["gamma"],
        before["exploration"]["temperature"],
        before["training"]["compile"],
    )
    assert first_change(config, before) is None
    changed = config.model_copy(
        update={"host": config.host.model_copy(update={"gamma": 0.5})}
    )
    assert first_change(changed, before) == "host.gamma"
    del before["environment"]["agents"]  # has no default: nothing is known of it
    assert first_change(config, before) is not None
