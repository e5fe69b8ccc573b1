"""What a host must satisfy in what it can do beyond its protocol."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from marl_core.abilities import HasComponentScores
from marl_core.exploration.coupled import CoupledExploration
from marl_core.observation_table import look_up, table_of
from marl_core.protocols import HostAlgorithm
from marl_core.testing.checking import by_name, close, same
from marl_core.testing.gradients import (
    check_groups,
    check_losses,
    gradients_of,
)
from marl_core.testing.learning import (
    HostCase,
    first_losses,
    learn,
    random_trajectory,
    rollouts,
)
from marl_core.testing.plain import SharedLatent
from marl_core.testing.play import play
from marl_core.testing.verdicts import NotApplicableError
from marl_core.types import Memory, Observation

#: How many components a host is asked to score.
_COMPONENTS = 3
#: How many games it is asked about.
_GAMES = 4


def table_and_samples_agree(case: HostCase) -> None:
    """Scored once for each distinct observation or once for each sample: the scores are the same.

    Why:
        Acting and learning look the scores up in the table.

    Broken by:
        Scores that depend on the place in the batch.

    Args:
        case: the host to check.
    """
    host = case.build()
    environment = case.environment.build(4, 0)
    table = table_of(environment)
    if host.capabilities.memory:
        raise NotApplicableError("it has a memory")
    if table is None:
        raise NotApplicableError(
            "the environment has no table of distinct observations"
        )
    with torch.no_grad():
        on_table, _ = host.scores(table, {})
        choice = case.environment.generator(0)
        for step in play(environment, environment.reset(), choice):
            row = step.before.row
            assert row is not None
            agent = torch.arange(row.shape[1], device=row.device)
            looked_up = on_table[row, agent]
            seen = look_up(step.before, table)
            written, _ = host.scores(seen, {})
            assert close(looked_up, written), (
                "the scores of the table's rows are not those of the samples"
            )


def each_component_has_its_scores(case: HostCase) -> None:
    """After ``score_components`` there are finite scores for each component.

    The scores of a game do not depend on the other games.

    Why:
        The coupling's law is made from them.

    Broken by:
        A capability without the members, an axis in another place.

    Args:
        case: the host to check.
    """
    host = case.build()
    assert isinstance(host, HasComponentScores) == host.capabilities.component_scores, (
        "capabilities.component_scores and component_scores do not go together"
    )
    if not isinstance(host, HasComponentScores):
        raise NotApplicableError("it does not score components")
    host.score_components(_COMPONENTS)
    memory = host.initial_memory(_GAMES)
    for seen in random_trajectory(case, _GAMES, 1):
        memory = _check_component_scores(case, host, seen, memory)


def _check_component_scores(
    case: HostCase,
    host: HasComponentScores,
    seen: Observation,
    memory: Memory,
) -> Memory:
    """Look at the scores of one step; the memory for the next step."""
    scores, following = host.component_scores(seen, memory)
    expected = (_COMPONENTS, _GAMES, case.spec.agents, case.spec.actions)
    shape = tuple(scores.shape)
    assert shape == expected, f"component_scores has shape {shape}"
    assert scores.isfinite().all(), "component_scores is not finite"
    assert following.keys() == memory.keys(), "memory changed its names"
    last = torch.tensor([_GAMES - 1])
    alone = {name: value[last] for name, value in memory.items()}
    own, _ = host.component_scores(seen.map(lambda value: value[last]), alone)
    assert close(own, scores[:, last]), (
        "a game's scores depend on the other games of the batch"
    )
    return following


def components_learn(case: HostCase) -> None:
    """A team that shares a latent variable teaches every parameter.

    What is learnt depends on which component each team had drawn.

    Why:
        A latent variable that is not learnt is noise.

    Broken by:
        A host that does not read ``rollout.component``.

    Args:
        case: the host to check.
    """
    policy = case.exploration.individual
    shared = CoupledExploration(policy, SharedLatent(_COMPONENTS))
    latent = replace(case, exploration=shared)
    host = _scoring_components(latent)
    if host is None:
        raise NotApplicableError("it does not score components")
    check_groups(host)
    check_losses(host, learn(latent, host))
    as_drawn = _first_gradients(latent, 0)
    otherwise = _first_gradients(latent, 1)
    alike = [
        same(
            as_drawn[name],
            otherwise[name],
        )
        for name in as_drawn
    ]
    assert not all(alike), "losses do not depend on which component was drawn"


def _scoring_components(case: HostCase) -> HostAlgorithm | None:
    """A fresh host that scores each component; None where it cannot."""
    host = case.build()
    if not isinstance(host, HasComponentScores):
        return None
    host.score_components(_COMPONENTS)
    return host


def _first_gradients(case: HostCase, shift: int) -> dict[str, Tensor | None]:
    """The gradients of a fresh host's first loss, with the drawn components' numbers shifted."""
    host = _scoring_components(case)
    assert host is not None
    played = rollouts(
        case.environment,
        host,
        case.exploration,
    )
    shifted = (
        replace(rollout, component=(rollout.component + shift) % _COMPONENTS)
        for rollout in played
    )
    first = next(first_losses(case, host, shifted))
    return gradients_of(host, first)


HOST_ABILITY_CHECKS = by_name(
    table_and_samples_agree,
    each_component_has_its_scores,
    components_learn,
)
