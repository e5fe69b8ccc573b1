"""``marl check``: a line for each rule, and what a user can do about a broken one."""

from __future__ import annotations

import re

import pytest

from marl_core.testing import ENVIRONMENT_CHECKS, HOST_CHECKS, POLICY_CHECKS
from tests.support.command import Command, refused

MINE = """\
from marl_core.testing.practice import Practice, PracticeConfig


class Mine(Practice.__mro__[-1]):
    Config = PracticeConfig

    def __init__(self, config, *, games, device, generator):
        self.inner = Practice(config, games=games, device=device, generator=generator)
        self.spec = config.spec()

    def reset(self, games=None):
        return self.inner.reset(games)

    def step(self, actions):
        return self.inner.step(actions)


class Late(Mine):
    def __init__(self, config, **where):
        super().__init__(config, **where)
        self.spec = PracticeConfig(max_steps=config.max_steps - 1).spec()


class Raises(Mine):
    def step(self, actions):
        return {}["missing"]


class HasNoStep(Mine):
    step = None
"""


@pytest.fixture
def mine(marl: Command) -> Command:
    """A folder with classes of a user's own."""
    marl.write(MINE, f"{NAME}.py")
    return marl


#: No other test has a module of this name.
NAME = "parts_that_marl_check_is_shown"


def test_every_rule_has_its_line(mine: Command) -> None:
    shown = mine("check", "environment", f"{NAME}:Mine", "--set", "agents=2")
    assert shown.status == 0, shown
    *lines, last = shown.out.splitlines()
    rules = [
        re.split(r"  +|: ", line.replace("applicable ", "applicable  "))[1]
        for line in lines
    ]
    assert rules == list(ENVIRONMENT_CHECKS)
    assert re.fullmatch(
        rf"environment {NAME}:Mine: 17 passed, 0 failed, 4 not applicable", last
    )
    assert "a_saved_state_stays: it does not save its state" in shown.out


def test_a_broken_rule_is_told_with_an_example(mine: Command) -> None:
    shown = mine("check", "environment", f"{NAME}:Late", "--seconds", "1")
    assert shown.status == 1
    begin = shown.out.index("failed         episodes_end_in_time: ")
    told = shown.out[begin:].splitlines()[:6]
    assert told[0].endswith("an episode is longer than max_steps (5)")
    assert told[1] == "    with       seed=0, games=1"
    assert told[2].startswith("    expected   No episode is longer than ``max_steps``")
    assert told[3].startswith("    because    ")
    assert told[4].startswith("    look for   ")
    assert told[5] == "    explained  docs/reference/rules.md#environments"


def test_an_exception_is_a_line_that_names_class_and_place(mine: Command) -> None:
    shown = mine("check", "environment", f"{NAME}:Raises")
    assert shown.status == 1
    line = MINE.splitlines().index('        return {}["missing"]') + 1
    told = rf"nothing_is_nan: Raises raised KeyError: 'missing' \(.*{NAME}\.py:{line}\)"
    assert re.search(told, shown.out), shown.out
    assert "Traceback" not in shown.out + shown.err
    traced = mine("check", "environment", f"{NAME}:Raises", "--traceback")
    assert "Traceback" in traced.out


def test_without_its_members_nothing_else_is_asked(mine: Command) -> None:
    shown = mine("check", "environment", f"{NAME}:HasNoStep")
    assert shown.status == 2
    assert "'step' must be a method" in shown.err


def test_mistakes_are_one_line(mine: Command) -> None:
    said = refused(mine, "check", "environment", f"{NAME}:Mine", "--set", "agnets=2")
    assert said.endswith("agnets: unknown key 'agnets', did you mean 'agents'?")
    said = refused(mine, "check", "host", "ppo_ms")
    assert said == "unknown host 'ppo_ms', did you mean 'ppo_ma'?"
    said = refused(mine, "check", "environment", "fme", "--device", "nowhere")
    assert said.startswith("--device nowhere: ")
    said = refused(mine, "check", "host", "ppo_ma", "--environment", "fmee")
    assert said == "unknown environment 'fmee', did you mean 'fme'?"


def test_the_settings_are_those_of_a_config(mine: Command) -> None:
    run = mine.write()
    said = refused(mine, "check", "environment", "adca", "--config", str(run))
    assert said == "run.yaml: there is no environment 'adca' in it"
    shown = mine("check", "host", "ppo_ma", "--config", str(run), "--set", "epochs=2")
    assert shown.status == 0, shown
    counted = [
        line for line in shown.out.splitlines() if line.split()[-1] in HOST_CHECKS
    ]
    assert counted
    assert "table_and_samples_agree\n" in shown.out  # the run's environment has a table


def test_an_individual_policy_is_an_exploration(mine: Command) -> None:
    shown = mine("check", "exploration", "boltzmann")
    assert shown.status == 0
    # Those of densities do not apply to it.
    said = re.search(r"boltzmann: (\d+) passed, 0 failed, (\d+) not", shown.out)
    assert said is not None
    passed, others = map(int, said.groups())
    assert passed + others == len(POLICY_CHECKS)
    assert passed > others
