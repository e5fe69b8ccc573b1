"""The spec checker: what every part of a run must satisfy. Run it over the classes that you add.

One line in a file of tests gives a test for each rule::

    from marl_core.testing import coupling_tests, environment_tests, host_tests, policy_tests

    TestMyEnvironment = environment_tests("my_module:MyEnvironment", {"agents": 4})
    TestMyHost = host_tests("my_module:MyHost")
    TestMyPolicy = policy_tests("my_module:MyPolicy")
    TestMyCoupling = coupling_tests("my_module:MyCoupling")

``exploration_tests`` does it for a class that is an individual policy and a coupling together. In a
terminal it is ``marl check environment my_module:MyEnvironment --set agents=4``.

Inside of a test of your own, ``check_environment(partial(MyEnvironment, MyConfig()))`` and its like
run all rules and raise a ``BrokenRuleError``, an ``AssertionError``, that names the first one that
is broken. ``ENVIRONMENT_CHECKS``, ``HOST_CHECKS``, ``POLICY_CHECKS``, ``COUPLING_CHECKS`` and
``EXPLORATION_CHECKS`` hold the rules by name. A rule that asks nothing of a part raises
``NotApplicableError``, which pytest takes for a skipped test.

What each rule asks, why, and what usually breaks it is in ``docs/reference/rules.md``. Everything
is deterministic: the same examples are tried every time. ``marl_core.testing.strategies`` and
``scenes`` hold the Hypothesis strategies for tests of your own.
"""

from marl_core.testing.collected_tests import (
    coupling_tests,
    environment_tests,
    exploration_tests,
    host_tests,
    policy_tests,
)
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
from marl_core.testing.verdicts import BrokenRuleError, NotApplicableError

__all__ = [
    "COUPLING_CHECKS",
    "ENVIRONMENT_CHECKS",
    "EXPLORATION_CHECKS",
    "HOST_CHECKS",
    "POLICY_CHECKS",
    "BrokenRuleError",
    "CouplingCase",
    "EnvironmentCase",
    "ExplorationCase",
    "HostCase",
    "NotApplicableError",
    "PolicyCase",
    "check_coupling",
    "check_environment",
    "check_exploration",
    "check_host",
    "check_policy",
    "coupling_tests",
    "environment_tests",
    "exploration_tests",
    "host_tests",
    "policy_tests",
]
