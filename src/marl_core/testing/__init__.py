"""The spec checker: what every environment, host and exploration must satisfy. Run it over the classes that you add.

A test of your own class takes three lines::

    from functools import partial
    from marl_core.testing import check_environment, check_exploration, check_host

    def test_my_environment():
        check_environment(partial(MyEnvironment, MyEnvironmentConfig(name="mine")))

    def test_my_host():
        check_host(partial(MyHost, MyHostConfig(name="mine")))

    def test_my_exploration():
        check_exploration(partial(MyExploration, MyExplorationConfig(name="mine")))

Each runs a number of single checks and raises an ``AssertionError`` that names the first one that fails. To see each
as a test of its own, parametrise over ``ENVIRONMENT_CHECKS``, ``HOST_CHECKS`` or ``EXPLORATION_CHECKS``, which hold the
checks by name::

    @pytest.mark.parametrize("check", EXPLORATION_CHECKS.values(), ids=EXPLORATION_CHECKS)
    def test_my_exploration(check):
        check(ExplorationCase(partial(MyExploration, MyExplorationConfig(name="mine"))))

Everything is deterministic: the same examples are tried every time. ``marl_core.testing.strategies`` holds the
Hypothesis strategies for tests of your own.
"""

from marl_core.testing.environments import ENVIRONMENT_CHECKS, check_environment
from marl_core.testing.hosts import HOST_CHECKS, check_host
from marl_core.testing.learning import HostCase
from marl_core.testing.play import EnvironmentCase

__all__ = [
    "ENVIRONMENT_CHECKS",
    "HOST_CHECKS",
    "EnvironmentCase",
    "HostCase",
    "check_environment",
    "check_host",
]
