"""Whether a host learns by the policy that has played: its memory, its masks, its state."""

from __future__ import annotations

import copy
from typing import final

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from marl_core.capabilities import Scores
from marl_core.learning import LearningContext
from marl_core.observation_table import without_table
from marl_core.protocols import IndividualPolicy
from marl_core.testing.checking import by_name
from marl_core.testing.learning import HostCase
from marl_core.testing.lessons import (
    first_with_lessons,
    lessons,
    log_policies_of_play,
    moved_host,
    same_lessons,
)
from marl_core.testing.verdicts import NotApplicableError
from marl_core.types import Progress

#: At most this number of samples is looked for.
_SAMPLES = 200
#: Lower logarithms of probabilities are as good as none.
_LEAST = -30.0
#: How far a logarithm of a probability may be off.
_TOLERANCE = 1e-3


@final
class _Overheard:
    """An individual policy that remembers what it said of a host's scores.

    Args:
        individual: says it.
    """

    def __init__(self, individual: IndividualPolicy) -> None:
        self._individual = individual
        self.said: list[Tensor] = []
        self.taught: list[Tensor] = []

    @property
    def accepts(self) -> frozenset[Scores]:
        return self._individual.accepts

    def log_policy(
        self,
        scores: Float[Tensor, "*B N A"],
        legal: Bool[Tensor, "*B N A"] | None,
        progress: Progress,
    ) -> Float[Tensor, "*B N A"]:
        log_policy = self._individual.log_policy(scores, legal, progress)
        rows = log_policy.detach().flatten(0, -2)
        self.said.append(rows)
        if log_policy.requires_grad:
            self.taught.append(rows)
        return log_policy

    def entropy_coefficient(self, progress: Progress) -> float:
        return self._individual.entropy_coefficient(progress)

    def rows(self) -> Tensor | None:
        """Each agent's policy of which it spoke: where gradients went, if they went anywhere."""
        heard = self.taught or self.said
        return torch.cat(heard) if heard else None


def learning_sees_the_policy_of_play(case: HostCase) -> None:
    """Before the first step of learning, the policies that are learnt are those that have played.

    Each is found, with the memory and the mask of its own game and step.

    Why:
        The gradient is that of what was done only at the policy that did it.

    Broken by:
        Memory from zero, one step off, overwritten or of another game; the action mask left out of
        the loss.

    Args:
        case: the host to check.
    """
    rollout = first_with_lessons(case)
    host = moved_host(case)
    overheard = _Overheard(case.exploration.individual)
    for _ in host.losses(rollout, overheard, LearningContext()):
        pass  # no step is taken, so that the policy stays what it was
    rows = overheard.rows()
    if rows is None:
        raise NotApplicableError(
            "it does not ask for the individual policy as it learns"
        )
    every = log_policies_of_play(case, host, rollout)[without_table(rollout).acting]
    some = every[:: max(1, len(every) // _SAMPLES)]
    distance = some.clamp(min=_LEAST).unsqueeze(1) - rows.clamp(min=_LEAST).unsqueeze(0)
    missing = distance.abs().amax(-1).amin(-1) > _TOLERANCE
    assert not missing.any(), (
        f"{int(missing.sum())} of {len(some)} policies that have played are not those that are "
        "learnt: are memory and mask those of the game and the step?"
    )


def learning_goes_on_from_a_saved_state(case: HostCase) -> None:
    """A host that loads another's state learns as that one does, after some learning too.

    Why:
        A resumed run would not be the run that was interrupted.

    Broken by:
        A running scale of rewards or values, a counter of steps, a generator of its own.

    Args:
        case: the host to check.
    """
    host, other = moved_host(case), case.build(1)
    rollout = first_with_lessons(case)
    lessons(case, rollout, host)
    other.load_state_dict(copy.deepcopy(host.state_dict()))
    on, loaded = lessons(case, rollout, host), lessons(case, rollout, other)
    assert same_lessons(on, loaded), (
        "state_dict does not hold all that gradients depend on: a running scale, a counter?"
    )


HOST_PLAY_CHECKS = by_name(
    learning_sees_the_policy_of_play,
    learning_goes_on_from_a_saved_state,
)
