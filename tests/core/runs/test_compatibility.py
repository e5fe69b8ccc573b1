"""Parts of a config that do not fit each other are refused, both sides named."""

from __future__ import annotations

from dataclasses import replace

import pytest

from marl_core.base_config import validate_strictly
from marl_core.capabilities import HostCapabilities
from marl_core.config.run import RunConfig
from marl_core.construction import environment_spec
from marl_core.errors import UserError
from marl_core.hosts.ppo.config import PPOMAConfig
from marl_core.runs.changes import first_change
from marl_core.runs.compatibility import check_compatible
from marl_core.training.stages import check
from tests.support.runs import run_data

GIVES = HostCapabilities(scores="logits", own_heads=True)


def declare(monkeypatch: pytest.MonkeyPatch, capabilities: HostCapabilities) -> None:
    """Have PPO-MA's config declare other capabilities."""
    declared = property(lambda config: capabilities)
    monkeypatch.setattr(PPOMAConfig, "capabilities", declared)


@pytest.mark.parametrize(
    ("capabilities", "message"),
    [
        (
            replace(GIVES, needs=frozenset({"entities"})),
            "'ppo_ma' needs entities .*'fme'",
        ),
        (replace(GIVES, scores="values"), "'ppo_ma' .*'entropy_sampling'"),
        (
            replace(GIVES, own_heads=False),
            "needs a policy head for each agent, and host 'ppo_ma' has no",
        ),
    ],
    ids=["entities", "scores", "own heads"],
)
def test_what_a_host_needs_and_nobody_gives(
    monkeypatch: pytest.MonkeyPatch, capabilities: HostCapabilities, message: str
) -> None:
    declare(monkeypatch, capabilities)
    with pytest.raises(UserError, match=message):
        check(RunConfig.model_validate(run_data()))


def test_a_host_that_needs_a_state_nobody_gives(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    declare(monkeypatch, replace(GIVES, needs=frozenset({"state"})))
    config = RunConfig.model_validate(run_data())
    spec = replace(environment_spec(config.environment), state_features=None)
    with pytest.raises(UserError, match=r"'ppo_ma' needs state .*'fme'"):
        check_compatible(config, spec, [])


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
    """A run that an earlier version began, which knew fewer settings, goes on; what it was not is a
    change.
    """
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
