"""The spec checker over every part of the plugin, and the plugin's own command."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from marl_core import load, train
from marl_core.cli.app import build_app
from marl_core.registry import commands, find
from marl_core.testing import (
    check_coupling,
    check_environment,
    check_exploration,
    check_host,
    check_policy,
)
from marl_harbour.coupling import Mirrored
from marl_harbour.environment import GUIDE, PULL, Harbour, HarbourConfig
from marl_harbour.exploration import HarbourWatch, HarbourWatchConfig
from marl_harbour.host import LinearReinforce, LinearReinforceConfig
from marl_harbour.policy import MixedSoftmax

CONFIG = Path(__file__).parents[1] / "harbour.yaml"


def test_the_environment_keeps_its_promises() -> None:
    check_environment(partial(Harbour, HarbourConfig(agents=4, distance=1.5)))


def test_the_host_keeps_its_promises() -> None:
    check_host(partial(LinearReinforce, LinearReinforceConfig()))


def test_the_policy_keeps_its_promises() -> None:
    check_policy(lambda spec: MixedSoftmax(share=0.2))


@pytest.mark.parametrize("bins", [1, 2, 5])
def test_the_coupling_keeps_its_promises(bins: int) -> None:
    check_coupling(lambda spec: Mirrored(bins=bins))


def test_the_strategy_keeps_its_promises() -> None:
    check_exploration(partial(HarbourWatch, HarbourWatchConfig()))


def test_a_ship_is_pulled_by_those_who_pull_if_one_guides() -> None:
    harbour = Harbour(
        HarbourConfig(agents=4),
        games=2,
        device="cpu",
        generator=torch.Generator().manual_seed(0),
    )
    harbour.reset()
    one_guides = torch.tensor([[PULL, PULL, PULL, GUIDE], [PULL] * 4])
    result = harbour.step(one_guides)
    assert result.team_reward.tolist() == [0.75, 0.0]
    assert result.terminated.tolist() == [False, True]


def test_the_parts_are_found_by_their_names() -> None:
    assert find("environment", "harbour") is Harbour
    assert find("host", "linear_reinforce") is LinearReinforce
    assert find("policy", "mixed_softmax") is MixedSoftmax
    assert find("coupling", "mirrored") is Mirrored
    assert find("exploration", "harbour_watch") is HarbourWatch
    assert "harbour" in commands()


def test_a_run_of_nothing_but_the_plugins_parts(tmp_path: Path) -> None:
    short = {f"stages.{stage}.episodes": 256 for stage in (0, 1)}
    train(CONFIG, set=short, out=tmp_path / "run", progress=False)
    assert load(tmp_path / "run").finished
    said = CliRunner().invoke(build_app(), ["harbour", str(tmp_path / "run")])
    assert said.exit_code == 0, said.output
    assert "of 200 ships are moored" in said.output
