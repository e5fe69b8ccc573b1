"""What a host must satisfy when it learns."""

from __future__ import annotations

from itertools import islice

from marl_core.testing.checking import by_name, no_global_randomness, same
from marl_core.testing.gradients import (
    check_groups,
    check_losses,
    descend,
    gradients_of,
)
from marl_core.testing.learning import (
    HostCase,
    learn,
    random_trajectory,
    score_all,
)


def losses_teach_every_parameter(case: HostCase) -> None:
    """A rollout brings losses, each finite; their gradients reach every trainable parameter.

    Why:
        A parameter without a gradient stays random for ever.

    Broken by:
        A detached tensor, a group that is left out or named twice, a division by 0.

    Args:
        case: the host to check.
    """
    host = case.build()
    check_groups(host)
    check_losses(host, learn(case, host))


def state_dict_holds_the_policy(case: HostCase) -> None:
    """A host that loads another's state scores as that one does, after some learning too.

    Why:
        A run could not go on, and a team not be used.

    Broken by:
        Tensors that are neither parameters nor buffers.

    Args:
        case: the host to check.
    """
    host = case.build(0)
    other = case.build(1)
    for loss in islice(learn(case, host), 3):
        descend(host, loss)
    other.load_state_dict(host.state_dict())
    trajectory = random_trajectory(case, 4, 1)
    own = score_all(host, trajectory, 4)
    loaded = score_all(other, trajectory, 4)
    for one, another in zip(own, loaded, strict=True):
        assert same(one, another), "state_dict does not hold all that scores depend on"


def host_leaves_global_randomness_alone(case: HostCase) -> None:
    """Initial weights come from the generator that a host is given; scores and losses draw nothing.

    Why:
        Equal seeds are to give equal runs.

    Broken by:
        ``nn.Linear`` and ``nn.init`` (draw from the host's generator), dropout, ``randperm``
        without one.

    Args:
        case: the host to check.
    """
    with no_global_randomness("the host"):
        host = case.build()
        for loss in islice(learn(case, host), 2):
            gradients_of(host, loss)


HOST_LOSS_CHECKS = by_name(
    losses_teach_every_parameter,
    state_dict_holds_the_policy,
)
