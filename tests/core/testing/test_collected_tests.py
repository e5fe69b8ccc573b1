"""One line in a file of tests gives a test for each rule."""

from __future__ import annotations

from typing import Any

import pytest

from marl_core.errors import UserError
from marl_core.exploration.entropy_sampling import EntropySampling
from marl_core.testing import (
    COUPLING_CHECKS,
    ENVIRONMENT_CHECKS,
    EXPLORATION_CHECKS,
    HOST_CHECKS,
    POLICY_CHECKS,
    BrokenRuleError,
    NotApplicableError,
    coupling_tests,
    environment_tests,
    exploration_tests,
    host_tests,
    policy_tests,
)
from marl_core.testing.practice import Practice, PracticeConfig
from tests.support.broken_environments import NaNForTheDead
from tests.support.broken_learners import AscendsTheLoss

TestByName = policy_tests("epsilon_greedy", {"end": 0.1})
TestByModule = environment_tests("marl_core.testing.practice:Practice", {"agents": 2})
TestByClass = policy_tests(EntropySampling)
TestByConfig = environment_tests(Practice, PracticeConfig(agents=4))


@pytest.mark.parametrize(
    ("made", "checks"),
    [
        (environment_tests("nowhere:Nothing"), ENVIRONMENT_CHECKS),
        (host_tests("nowhere:Nothing"), HOST_CHECKS),
        (policy_tests("nowhere:Nothing"), POLICY_CHECKS),
        (coupling_tests("nowhere:Nothing"), COUPLING_CHECKS),
        (exploration_tests("nowhere:Nothing"), EXPLORATION_CHECKS),
    ],
)
def test_there_is_a_test_for_each_rule(made: type, checks: dict[str, Any]) -> None:
    """What is not there is missed when a test runs, not when tests are collected."""
    tests = [name for name in vars(made) if name.startswith("test_")]
    assert tests == [f"test_{name.replace('.', '_')}" for name in checks]
    with pytest.raises(UserError, match="nowhere"):
        getattr(made(), tests[0])()


def test_a_broken_rule_fails_its_own_test_alone() -> None:
    tests: Any = environment_tests(NaNForTheDead)()
    with pytest.raises(BrokenRuleError, match="nothing_is_nan: features is not finite"):
        tests.test_nothing_is_nan()
    tests.test_the_dead_stay_dead()
    with pytest.raises(NotApplicableError, match="no table"):
        tests.test_table_says_what_agents_see()


def test_a_host_plays_what_it_is_given() -> None:
    fme = {"agents": 2, "tag": "1A1B1C"}
    tests: Any = host_tests("ppo_ma", environment="fme", environment_settings=fme)()
    with pytest.raises(NotApplicableError, match="equally long"):
        tests.test_padding_teaches_nothing()
    wrong: Any = host_tests(AscendsTheLoss)()
    with pytest.raises(BrokenRuleError, match="wrong sign"):
        wrong.test_what_is_rewarded_grows_likelier()


def test_settings_are_checked_as_in_a_config() -> None:
    tests: Any = environment_tests(Practice, {"agnets": 3})()
    with pytest.raises(UserError, match="did you mean 'agents'"):
        tests.test_nothing_is_nan()
    not_one: Any = environment_tests(EntropySampling)()
    with pytest.raises(UserError, match="is no environment"):
        not_one.test_nothing_is_nan()
