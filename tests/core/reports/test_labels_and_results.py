"""Results of runs and their labels."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marl_core.reports.labels import as_label
from tests.support.results import TASK, a_result, numbers, text


def test_final_and_average() -> None:
    result = a_result()
    assert (result.final("exact/return"), result.average("exact/return")) == (2.5, 1.75)
    assert math.isnan(result.average("coupling/shared"))
    endless = replace(result, metrics={"exact/return": (math.inf, -math.inf)})
    assert math.isnan(endless.average("exact/return"))


@given(
    value=text
    | numbers
    | st.booleans()
    | st.none()
    | st.lists(st.integers())
    | st.floats()
)
def test_anything_can_be_made_a_label(value: object) -> None:
    label = as_label(value)
    assert a_result(x=label).labels["x"] == label
    assert as_label(label) == label


@pytest.mark.parametrize(
    "wrong",
    [
        {"labels": {"task": "1A"}},
        {"labels": {"task": 1, "algorithm": "x"}},
        {"labels": {"task": "", "algorithm": "x"}},
        {"labels": {**TASK, "seed": 1}},
        {"labels": {**TASK, "agents": "8"}},
        {"labels": {**TASK, "agents": math.nan}},
        {"labels": {**TASK, "fast": True}},
        {"labels": {**TASK, "fast": ""}},
        {"episodes": (512, 0)},
        {"episodes": (0, 0)},
        {"episodes": (0,)},
        {"episodes": (), "metrics": {"exact/return": ()}},
        {"metrics": {}},
    ],
)
def test_what_is_no_result(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"label|episodes|evaluation|values"):
        replace(a_result(), **wrong)
