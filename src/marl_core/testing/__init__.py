"""The spec checker: what every part of a run must satisfy. Run it over the classes that you add.

A test of your own class takes three lines::

    from functools import partial
    from marl_core.testing import check_coupling, check_environment, check_host, check_policy

    def test_my_environment():
        check_environment(partial(MyEnvironment, MyEnvironmentConfig()))

    def test_my_host():
        check_host(partial(MyHost, MyHostConfig()))

    def test_my_policy():
        check_policy(partial(MyPolicy, MyPolicyConfig()))

    def test_my_coupling():
        check_coupling(partial(MyCoupling, MyCouplingConfig()))

``check_exploration`` does it for an individual policy and a coupling together. Each runs a number
of single checks and raises an ``AssertionError`` that names the first one that fails. To see each
as a test of its own, parametrise over ``ENVIRONMENT_CHECKS``, ``HOST_CHECKS``, ``POLICY_CHECKS``,
``COUPLING_CHECKS`` or ``EXPLORATION_CHECKS``, which hold the checks by name::

    @pytest.mark.parametrize("check", COUPLING_CHECKS.values(), ids=COUPLING_CHECKS)
    def test_my_coupling(check):
        check(CouplingCase(partial(MyCoupling, MyCouplingConfig())))

Everything is deterministic: the same examples are tried every time.
``marl_core.testing.strategies`` and ``scenes`` hold the Hypothesis strategies for tests of your
own."""

from marl_core.testing.couplings import COUPLING_CHECKS, check_coupling
from marl_core.testing.environments import ENVIRONMENT_CHECKS, check_environment
from marl_core.testing.explorations import (
    EXPLORATION_CHECKS,
    ExplorationCase,
    check_exploration,
)
from marl_core.testing.hosts import HOST_CHECKS, check_host
from marl_core.testing.laws import CouplingCase
from marl_core.testing.learning import HostCase
from marl_core.testing.play import EnvironmentCase
from marl_core.testing.policies import POLICY_CHECKS, check_policy
from marl_core.testing.policy_case import PolicyCase

__all__ = [
    "COUPLING_CHECKS",
    "ENVIRONMENT_CHECKS",
    "EXPLORATION_CHECKS",
    "HOST_CHECKS",
    "POLICY_CHECKS",
    "CouplingCase",
    "EnvironmentCase",
    "ExplorationCase",
    "HostCase",
    "PolicyCase",
    "check_coupling",
    "check_environment",
    "check_exploration",
    "check_host",
    "check_policy",
]
