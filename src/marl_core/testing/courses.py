"""Whether two environments take the same course."""

from __future__ import annotations

from marl_core.testing.checking import same
from marl_core.testing.play import Played, tensors_in, tensors_of
from marl_core.types import Observation


def check_same_observation(one: Observation, other: Observation, who: str) -> None:
    """The same observation, to the last bit."""
    for name in tensors_in(one).keys() | tensors_in(other).keys():
        assert same(getattr(one, name), getattr(other, name)), f"{who} differ in {name}"


def check_same_course(one: list[Played], other: list[Played], who: str) -> None:
    """The same results in the games that are on, to the last bit."""
    assert len(one) == len(other), f"{who} differ in how long they last"
    for t, (a, b) in enumerate(zip(one, other, strict=True)):
        left, right = tensors_of(a.result), tensors_of(b.result)
        assert left.keys() == right.keys(), f"{who} differ in what a step gives"
        for name, value in left.items():
            assert same(value[a.on], right[name][a.on]), (
                f"{who} differ in {name}, {t + 1} steps on"
            )
