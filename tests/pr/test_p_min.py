"""A p_min that Eq. 18 cannot bear is refused, and one that is doubtful is told of."""

from __future__ import annotations

import warnings

import pytest

from marl_core.notes import RunWarning
from marl_core.types import EnvironmentSpec
from marl_pr.coupling import PolicyResonance
from tests.support.command import RUN, Command, refused


@pytest.mark.parametrize("p_min", ["0.51", "0.9", "1", "-0.1", ".nan"])
def test_more_than_half_is_refused(marl: Command, p_min: str) -> None:
    text = RUN.replace("eta_max: 0.5", f"eta_max: 0.5\n      p_min: {p_min}")
    line = refused(marl, "train", str(marl.write(text)))
    assert line.startswith("run.yaml:17: stages.1.exploration.p_min: must be ")


@pytest.mark.parametrize(
    ("p_min", "actions", "told"),
    [(0.2, 10, False), (0.3, 10, True), (0.2, 20, True), (0.5, 2, False)],
)
def test_what_the_demonstration_had_passes_without_a_word(
    p_min: float, actions: int, told: bool
) -> None:
    spec = EnvironmentSpec(agents=2, actions=actions, max_steps=1, features=1)
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        PolicyResonance(spec=spec, p_min=p_min)
    notes = [str(one.message) for one in found if one.category is RunWarning]
    assert bool(notes) is told
    assert all(f"the paper bounds it by 1/{actions}" in one for one in notes)
