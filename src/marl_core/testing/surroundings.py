"""What a coupling must satisfy towards those around it: devices, precision, tensors, heads."""

from __future__ import annotations

import torch
from hypothesis import strategies as st
from torch import Tensor, nn

from marl_core.abilities import GroupsHeads
from marl_core.joint_policy import JointPolicy
from marl_core.protocols import Coupling
from marl_core.testing.checking import by_name, close, for_all, same
from marl_core.testing.laws import CouplingCase
from marl_core.testing.scenes import Scene, scenes
from marl_core.testing.strategies import LONG
from marl_core.testing.verdicts import NotApplicableError
from marl_core.types import EnvironmentSpec, Moment, Progress

#: A device without memory, which every machine has: what is made on it stays on it.
_ELSEWHERE = torch.device("meta")


def weights_are_on_the_device(case: CouplingCase) -> None:
    """Weights are made on the moment's device.

    Why:
        On a GPU the draw of components fails, or waits.

    Broken by:
        ``torch.tensor`` and ``torch.ones`` without ``device=moment.device``.

    Args:
        case: the coupling to check.
    """
    coupling = case.make(case.environment.build(1, 0).spec)
    if coupling.needs.whole_game or isinstance(coupling, nn.Module):
        raise NotApplicableError("its weights are made from tensors that have a device")
    moment = Moment(Progress(), _ELSEWHERE)
    try:
        weights = coupling.weights(moment)
    except (NotImplementedError, RuntimeError) as error:
        raise NotApplicableError("its weights depend on numbers of tensors") from error
    found = weights.device.type
    assert found == _ELSEWHERE.type, (
        f"weights are on '{found}' and not on moment.device: pass device= where they are made"
    )


def policies_are_only_read(case: CouplingCase) -> None:
    """A coupling writes neither into the policies nor into the weights that ``law`` is given.

    Why:
        The host's gradient and the stated marginal are made from the same tensors.

    Broken by:
        Correcting policies in place.

    Args:
        case: the coupling to check.
    """

    @for_all(20, scene=scenes())
    def check(scene: Scene) -> None:
        coupling = case.make(scene.spec)
        stated = case.stated(scene, coupling)
        given, its_weights = stated.policies, coupling.weights(scene.moment)
        policies, weights = given.clone(), its_weights.clone()
        coupling.law(given, its_weights, scene.progress).marginal()
        assert same(given, policies), "law writes into the policies"
        assert same(its_weights, weights), "law writes into the weights"


def mixed_precision_changes_no_law(case: CouplingCase) -> None:
    """Under autocast, as in training with ``precision: bf16-mixed``, the law is the same.

    Why:
        Under autocast a matrix product has three digits: Eq. 16 holds for nobody.

    Broken by:
        ``@``, ``einsum`` or ``matmul`` over probabilities.

    Args:
        case: the coupling to check.
    """

    @for_all(20, scene=scenes())
    def check(scene: Scene) -> None:
        coupling = case.make(scene.spec)
        exact = _components(case, scene, coupling)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            mixed = _components(case, scene, coupling)
        for name, value in exact.items():
            assert close(mixed[name].double(), value.double()), (
                f"{name} lose their precision under autocast: leave it for them, or use no matmul"
            )


def _components(
    case: CouplingCase, scene: Scene, coupling: Coupling
) -> dict[str, Tensor]:
    stated = case.stated(scene, coupling)
    found = {"weights": stated.weights}
    if isinstance(stated.law, JointPolicy):
        found["components"] = stated.law.components
    return found


def head_groups_are_only_divided(case: CouplingCase) -> None:
    """``head_groups`` gives each agent a group; as a stage goes on, no groups are joined.

    Why:
        Heads that part keep what they have learnt; two heads cannot become one.

    Broken by:
        Groups by another count of episodes, agents that change sides.

    Args:
        case: the coupling to check.
    """
    made = case.make(case.environment.build(1, 0).spec)
    if not isinstance(made, GroupsHeads):
        raise NotApplicableError("it does not group heads")
    times = st.lists(st.integers(0, LONG), min_size=2, max_size=5).map(sorted)

    @for_all(40, agents=st.integers(1, 12), episodes=times)
    def check(agents: int, episodes: list[int]) -> None:
        coupling = case.make(_spec(agents))
        assert isinstance(coupling, GroupsHeads)
        before: tuple[int, ...] = (0,) * agents
        for played in episodes:
            groups = tuple(
                coupling.head_groups(agents, Progress(stage_episodes=played))
            )
            assert len(groups) == agents, f"{agents} agents have groups {groups}"
            inside = {(new, old) for new, old in zip(groups, before, strict=True)}
            assert len(inside) == len(set(groups)), (
                f"groups {groups} join agents of the groups {before} before"
            )
            before = groups


def _spec(agents: int = 2) -> EnvironmentSpec:
    teams = tuple(agent % 2 for agent in range(agents))
    return EnvironmentSpec(agents, actions=3, max_steps=10, features=4, teams=teams)


SURROUNDING_CHECKS = by_name(
    weights_are_on_the_device,
    policies_are_only_read,
    mixed_precision_changes_no_law,
    head_groups_are_only_divided,
)
