"""Results of runs, drawn and made up."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from hypothesis import strategies as st

from marl_core.reports.labels import Label, as_label
from marl_core.reports.results import RunResult

TASK: dict[str, Label] = {"task": "1A4B2C", "algorithm": "PPO-MA"}
text = st.text(st.characters(codec="utf-8"), max_size=6) | st.sampled_from(
    [
        "8",
        "8.0",
        "-0",
        "1e3",
        "nan",
        "inf",
        "08",
        " 8",
        'a"b',
        "a,b",
        "a\r",
        "a\nb",
        "\ufeff",
        "²",
        "1_0",
        "é",
        "null",
    ]
)
words = text.filter(bool)
numbers = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
values = st.floats() | st.integers(-9, 9).map(float)


@st.composite
def parts(draw: Any) -> dict[str, Any]:
    """What a result is made of.

    Tests make the result: the run-time type checker draws random numbers, which would disturb
    strategies.
    """
    others = draw(
        st.dictionaries(
            st.sampled_from(["agents", "exploration", "Größe, in m"]), text | numbers
        )
    )
    labels = {
        "task": draw(words),
        "algorithm": draw(words),
        **{name: as_label(value) for name, value in others.items()},
    }
    episodes = sorted(draw(st.sets(st.integers(0, 10**7), min_size=1, max_size=3)))
    one_each = st.tuples(*[values] * len(episodes))
    names = st.sampled_from(["exact/return", "greedy/C1", "coupling/a", "x,y"])
    metrics = draw(st.dictionaries(names, one_each, min_size=1))
    seed = draw(st.integers(0, 99))
    return {
        "environment": draw(words),
        "labels": labels,
        "seed": seed,
        "episodes": tuple(episodes),
        "metrics": metrics,
    }


def identity(
    environment: str, labels: Mapping[str, Label], seed: int, **rest: Any
) -> str:
    return repr(
        (
            environment,
            sorted((name, repr(label)) for name, label in labels.items()),
            seed,
        )
    )


several = st.lists(parts(), max_size=5, unique_by=lambda one: identity(**one))


def contents(found: list[RunResult]) -> list[str]:
    """All that they hold, NaN equal to NaN, 8 not to 8.0, in an order of their own."""
    return sorted(
        repr((identity(**vars(one)), one.episodes, sorted(one.metrics.items())))
        for one in found
    )


def a_result(seed: int = 0, **labels: Label) -> RunResult:
    metrics = {
        "exact/return": (1.0, 2.5),
        "greedy/C1": (0.0, 0.5),
        "coupling/shared": (math.nan, 0.75),
    }
    return RunResult("fme", {**TASK, **labels}, seed, (0, 512), metrics)
