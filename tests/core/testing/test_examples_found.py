"""The search for an example: it is simple, told in words, and over in time."""

from __future__ import annotations

import time
from itertools import count

import pytest
import torch
from hypothesis import strategies as st

from marl_core.testing.checking import for_all, run_check, run_checks
from marl_core.testing.examples import in_words, simplified_for
from marl_core.testing.scenes import Scene, scenes
from marl_core.testing.verdicts import BrokenRuleError, NotApplicableError


def _broken_from(least: int) -> None:
    @for_all(50, number=st.integers(0, 10**6))
    def check(number: int) -> None:
        assert number < least, "the number is too large"


@pytest.mark.parametrize("least", [0, 7, 4000])
def test_the_simplest_example_is_told(least: int) -> None:
    with pytest.raises(BrokenRuleError) as caught:
        _broken_from(least)
    assert caught.value.example == f"number={least}"
    assert str(caught.value) == f"the number is too large (with number={least})"


def test_a_rule_is_named() -> None:
    with pytest.raises(BrokenRuleError, match=r"^small: the number") as caught:
        run_check("small", lambda case: _broken_from(case), 3)
    assert caught.value.rule == "small"


def test_an_assertion_without_a_message_is_told_by_its_line() -> None:
    def check(case: int) -> None:
        raise AssertionError

    with pytest.raises(BrokenRuleError, match=r"found\.py:\d+: raise AssertionError"):
        run_check("large", check, 1)


def test_simplifying_ends_in_time() -> None:
    """An answer that is another each time could be simplified for ever."""
    calls = count()

    def slow_and_moody() -> None:
        @for_all(50, numbers=st.lists(st.integers(), min_size=20, max_size=40))
        def check(numbers: list[int]) -> None:
            time.sleep(0.01)
            assert next(calls) % 3 == 1, "by chance"

    begin = time.monotonic()
    with simplified_for(0.1), pytest.raises(BrokenRuleError):
        slow_and_moody()
    assert time.monotonic() - begin < 1.5


def test_without_time_the_first_example_is_told() -> None:
    with simplified_for(0.0), pytest.raises(BrokenRuleError) as caught:
        _broken_from(1000)
    assert caught.value.example is not None
    number = int(caught.value.example.removeprefix("number="))
    assert number >= 1000


def test_an_error_of_the_class_keeps_its_type_and_tells_the_example() -> None:
    @for_all(1, number=st.just(3))
    def passes(number: int) -> None:
        assert number == 3

    def fails() -> None:
        @for_all(5, number=st.integers(3, 9))
        def check(number: int) -> None:
            raise KeyError(number)

    with pytest.raises(KeyError) as caught:
        fails()
    assert "with number=3" in caught.value.__notes__


def test_what_is_not_applicable_is_passed_over() -> None:
    def nothing_to_ask(case: int) -> None:
        raise NotApplicableError("there is nothing")

    run_checks({"first": nothing_to_ask}, 0)
    with pytest.raises(BrokenRuleError, match="second"):
        run_checks({"first": nothing_to_ask, "second": _broken_from}, 0)


def test_tensors_and_scenes_in_words() -> None:
    assert in_words({"a": torch.tensor([1.5, 2.0])}) == "a=[1.5, 2.0]"
    assert in_words({"a": torch.zeros(5, 7)}) == "a=<5 x 7 numbers>"
    told: list[str] = []

    @for_all(1, scene=scenes())
    def check(scene: Scene) -> None:
        told.append(in_words({"scene": scene}))

    assert "scores=" in told[0]
    assert "\n" not in told[0]
