"""The spec checker over a class of one's own: `pytest examples/test_custom_parts.py`."""

from functools import partial

from custom_environment import NightWatch, NightWatchConfig
from marl_core.testing import check_environment


def test_my_environment() -> None:
    config = NightWatchConfig(agents=4)
    check_environment(partial(NightWatch, config))
