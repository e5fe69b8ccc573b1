"""A test for each rule, over classes of one's own: `pytest examples/test_custom_parts.py`."""

from marl_core.testing import environment_tests, host_tests

TestNightWatch = environment_tests("custom_environment:NightWatch", {"agents": 4})
TestReinforce = host_tests("custom_host:Reinforce")
