"""Whether two environments play the same."""

from __future__ import annotations

from marl_core.testing.checking import same
from marl_core.testing.play import Played, tensors_of
from marl_core.types import Observation


def check_same_observation(
    one: Observation,
    other: Observation,
    who: str,
) -> None:
    """See that two observations are the same, to the last bit.

    Args:
        one: an observation.
        other: an observation.
        who: whose they are, for the message.

    Raises:
        AssertionError: they differ.
    """
    for name in one.tensors().keys() | other.tensors().keys():
        alike = same(getattr(one, name), getattr(other, name))
        assert alike, f"{who} differ in {name}"


def check_same_trajectory(
    one: list[Played],
    other: list[Played],
    who: str,
) -> None:
    """See that two trajectories have the same results in the games that are on, to the last bit.

    Args:
        one: the steps of a trajectory.
        other: the steps of a trajectory.
        who: whose they are, for the message.

    Raises:
        AssertionError: they differ.
    """
    assert len(one) == len(other), f"{who} differ in how long they last"
    for t, (step, other_step) in enumerate(zip(one, other, strict=True), start=1):
        left = tensors_of(step.result)
        right = tensors_of(other_step.result)
        assert left.keys() == right.keys(), f"{who} differ in what a step gives"
        for name, value in left.items():
            alike = same(
                value[step.on],
                right[name][other_step.on],
            )
            assert alike, f"{who} differ in {name}, {t} steps on"
