"""Who may write into which tensors."""

from __future__ import annotations

import torch
from torch import Tensor

from marl_core.abilities import SavesState
from marl_core.protocols import Environment
from marl_core.testing.checking import by_name, same
from marl_core.testing.play import EnvironmentCase, random_actions, tensors_of
from marl_core.testing.verdicts import NotApplicableError
from marl_core.types import Observation

Tensors = dict[str, Tensor]


class _Witness:
    """Remembers what tensors were, and sees whether they still are."""

    def __init__(self) -> None:
        self._given: list[tuple[Tensors, Tensors]] = []

    def keep(self, tensors: Tensors) -> None:
        copies = {name: value.clone() for name, value in tensors.items()}
        self._given.append((tensors, copies))

    def check(self, what_happened: str) -> None:
        for now, then in self._given:
            for name, value in now.items():
                assert same(value, then[name]), f"{name} {what_happened}"


def what_was_given_stays(case: EnvironmentCase) -> None:
    """A tensor that was returned belongs to the caller: nothing is written into it later.

    The actions that a step is given are the caller's, too.

    Why:
        Rollouts keep what they are given; a buffer that is used again would rewrite the past.

    Broken by:
        ``out=``, ``copy_`` and ``+=`` on what was returned; views of a simulator's memory.

    Args:
        case: the environment to check.
    """
    environment = case.build(4, 0)
    given, actions = _Witness(), _Witness()
    seen = environment.reset()
    given.keep(seen.tensors())
    choice = case.generator(0)
    for _ in range(environment.spec.max_steps):
        chosen = random_actions(environment, seen, choice)
        actions.keep({"actions": chosen})
        result = environment.step(chosen)
        seen = result.observation
        given.keep(tensors_of(result))
    half = result.ended.new_tensor([True, False, True, False])
    given.keep(environment.reset(half).tensors())
    environment.reset()
    given.check("was written into after it was given")
    actions.check("were written into by step")


def a_saved_state_stays(case: EnvironmentCase) -> None:
    """What ``state_dict`` gave is a picture of a moment: playing on does not change it.

    Playing on after ``load_state_dict`` does not change it either.

    Why:
        A picture of an episode is a list of states, and a live tensor shows the last of them only.

    Broken by:
        ``state_dict`` without ``clone`` beside steps in place; loading without a copy.

    Args:
        case: the environment to check.
    """
    environment = case.build(4, 0)
    assert_saves_state(environment)
    saved = _Witness()
    _play_and_save(case, environment, environment.reset(), saved)
    saved.check("of the saved state was written into by playing on")
    twin = case.build(4, 1)
    assert isinstance(twin, SavesState)
    twin.reset()
    loaded = _Witness()
    loaded.keep(_load(twin, environment))
    nobody = torch.zeros(4, dtype=torch.bool, device=case.device)
    _play_and_save(case, twin, twin.reset(nobody), loaded)
    loaded.check("of the loaded state was written into by playing on")


def assert_saves_state(environment: Environment) -> None:
    """See that an environment saves its state.

    Args:
        environment: any.

    Raises:
        NotApplicableError: it does not.
    """
    if not isinstance(environment, SavesState):
        raise NotApplicableError("it does not save its state")


def _load(twin: SavesState, environment: Environment) -> Tensors:
    """Load an environment's state; what was loaded."""
    state = {name[1:-1]: value for name, value in _saved(environment).items()}
    twin.load_state_dict(state)
    return {f"'{name}'": value for name, value in state.items()}


def _play_and_save(
    case: EnvironmentCase,
    environment: Environment,
    seen: Observation,
    saved: _Witness,
) -> None:
    """Some steps, with the state saved before each."""
    choice = case.generator(0)
    for _ in range(environment.spec.max_steps):
        saved.keep(_saved(environment))
        seen = environment.step(random_actions(environment, seen, choice)).observation


def _saved(environment: Environment) -> Tensors:
    assert isinstance(environment, SavesState)
    state = environment.state_dict()
    return {f"'{name}'": value for name, value in state.items()}


OWNERSHIP_CHECKS = by_name(what_was_given_stays, a_saved_state_stays)
