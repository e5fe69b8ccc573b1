"""What a host must satisfy that can give every agent a policy head of its own."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice

import torch
from torch import Tensor

from marl_core.abilities import HasOwnHeads, SharesHeads
from marl_core.collection.episodes import games_of
from marl_core.errors import UserError
from marl_core.protocols import HostAlgorithm
from marl_core.testing.checking import by_name, close, same
from marl_core.testing.gradients import (
    check_groups,
    descend,
    parameters_of,
    trainable,
)
from marl_core.testing.learning import (
    HostCase,
    learn,
    random_trajectory,
    score_all,
)
from marl_core.testing.verdicts import NotApplicableError
from marl_core.types import Observation


def own_heads_change_no_score(case: HostCase) -> None:
    """``give_each_agent_its_own_head`` leaves scores as they were and freezes the body.

    Afterwards agents share no parameter that is trained.

    Why:
        PR-Fast goes on with the policy that was learnt.

    Broken by:
        New heads that are drawn anew, a body that still learns, heads that are one.

    Args:
        case: the host to check.
    """
    host = case.build()
    assert isinstance(host, HasOwnHeads) == host.capabilities.own_heads, (
        "capabilities.own_heads and give_each_agent_its_own_head do not go together"
    )
    if not isinstance(host, HasOwnHeads):
        raise NotApplicableError("it cannot give agents heads of their own")
    trajectory = random_trajectory(case, 4, 1)
    before = score_all(host, trajectory, 4)
    host.give_each_agent_its_own_head()
    for one, another in zip(
        before,
        score_all(
            host,
            trajectory,
            4,
        ),
        strict=True,
    ):
        assert close(one, another), "give_each_agent_its_own_head changed the scores"
    frozen = _frozen(host)
    assert frozen, "give_each_agent_its_own_head froze nothing"
    check_groups(host)
    _check_groups_are_apart(host, trajectory[0], range(case.spec.agents))
    for loss in islice(learn(case, host), 3):
        descend(host, loss)
    after = _frozen(host)
    for name, value in frozen.items():
        assert same(value, after[name]), f"{name} is frozen, yet it changed"


def _frozen(host: HostAlgorithm) -> dict[str, Tensor]:
    every = parameters_of(host).items()
    return {name: p.detach().clone() for name, p in every if not p.requires_grad}


def groups_share_a_head(case: HostCase) -> None:
    """After ``share_heads`` the agents of a group share all that is trained of their scores.

    Other agents share nothing of it. No score changes where a group is divided, after learning
    either. A host whose settings rule it out declares that, and refuses with a ``UserError``.

    Why:
        A tree of heads divides what was learnt together.

    Broken by:
        Copies where one head is to be shared, heads that part unequal, a capability that is not
        declared.

    Args:
        case: the host to check.
    """
    host = case.build()
    agents = case.spec.agents
    if not host.capabilities.head_groups:
        _check_refuses(host, agents)
        raise NotApplicableError("its agents cannot share heads by groups")
    assert isinstance(host, SharesHeads), (
        "capabilities.head_groups is set, and there is no share_heads"
    )
    trajectory = random_trajectory(case, 4, 1)
    host.give_each_agent_its_own_head()
    for groups in _divisions(agents):
        before = score_all(host, trajectory, 4)
        host.share_heads(groups)
        after = score_all(host, trajectory, 4)
        unchanged = all(map(same, before, after))
        assert unchanged, "share_heads changed the scores where a group was divided"
        _check_groups_are_apart(host, trajectory[0], groups)
        for loss in islice(learn(case, host), 3):
            descend(host, loss)


def _check_refuses(host: HostAlgorithm, agents: int) -> None:
    """See that no heads are shared that the host does not declare."""
    if not isinstance(host, SharesHeads):
        return
    host.give_each_agent_its_own_head()
    try:
        host.share_heads([0] * agents)
    except UserError:
        return
    raise AssertionError(
        "share_heads shares heads, and capabilities.head_groups is not set"
    )


def _divisions(agents: int) -> list[list[int]]:
    """Groups, each time divided: all agents, two halves, everyone."""
    halves = [2 * agent // agents for agent in range(agents)]
    return [[0] * agents, halves, list(range(agents))]


def _check_groups_are_apart(
    host: HostAlgorithm, seen: Observation, groups: Sequence[int]
) -> None:
    """See that the scores of two agents depend on one parameter if they are of one group, and only
    then.
    """
    by_group: dict[int, list[Tensor]] = {}
    for agent, group in enumerate(groups):
        touched = _touched(host, seen, agent)
        for other, before in by_group.items():
            shares = any((a & b).any() for a, b in zip(touched, before, strict=True))
            assert shares or group != other, "agents of one group have different heads"
            assert not shares or group == other, (
                "agents share parameters of the head that is their own"
            )
        by_group.setdefault(group, touched)


def _touched(host: HostAlgorithm, seen: Observation, agent: int) -> list[Tensor]:
    """Which numbers of each trained parameter an agent's scores depend on."""
    parameters = list(trainable(host).values())
    memory = host.initial_memory(games_of(seen))
    scores, _ = host.scores(seen, memory)
    gradients = torch.autograd.grad(
        scores[:, agent].square().sum(),
        parameters,
        allow_unused=True,
        materialize_grads=True,
    )
    return [gradient != 0 for gradient in gradients]


HOST_HEAD_CHECKS = by_name(own_heads_change_no_score, groups_share_a_head)
