"""What the law of every coupling over densities must satisfy."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from marl_core.abilities import (
    CouplesDensities,
    DepartsFromDensities,
)
from marl_core.densities.agents import Densities
from marl_core.densities.gaussian import GaussianDensities
from marl_core.densities.law import DensityLaw
from marl_core.testing.box_scenes import (
    BoxScene,
    box_scenes,
)
from marl_core.testing.checking import (
    assert_distribution,
    by_name,
    close,
    for_all,
)
from marl_core.testing.laws import CouplingCase
from marl_core.testing.verdicts import NotApplicableError
from marl_core.types import EnvironmentSpec


class _Stated(NamedTuple):
    """What a coupling states about a scene."""

    coupling: CouplesDensities
    individual: Densities
    law: DensityLaw


def density_law_states_ranks_that_integrate_to_one(
    case: CouplingCase,
) -> None:
    """``density_law`` keeps the policies and weights that it is given; in each component agents'
    densities integrate to 1.

    Why:
        The kernel draws from it.

    Broken by:
        A probability of the core that is above 1, weights of its own.

    Args:
        case: the coupling to check.
    """
    _of_boxes(case)

    @for_all(50, scene=box_scenes())
    def check(scene: BoxScene) -> None:
        stated = _stated(case, scene)
        law = stated.law
        assert law.individual is stated.individual, (
            "density_law().individual is not the individual policy"
        )
        assert_distribution(law.weights, "weights")
        expected = case.make(scene.spec).weights(scene.moment)
        assert close(law.weights, expected), "density_law has weights of its own"
        if law.ranks is None:
            assert law.weights.shape[-1] == 1, (
                "there is not one component for each weight"
            )
            return
        for name, value in vars(law.ranks).items():
            assert value.shape == law.weights.shape, (
                f"'{name}' is not one per component"
            )
            inside = ((value >= 0) & (value <= 1)).all()
            assert inside, f"'{name}' of the ranks is no probability"


def density_marginal_is_the_individual_density(
    case: CouplingCase,
) -> None:
    """Eq. 16 for densities: over all components an agent's density is its individual policy's,
    pointwise.

    Why:
        It is what lets a host learn as if each agent explored on its own.

    Broken by:
        A core that is drawn from in resonance and not made up for outside of it, one of another
        mass than is corrected for.

    Args:
        case: the coupling to check.
    """
    _of_boxes(case)
    compared: list[int] = []

    @for_all(100, scene=box_scenes())
    def check(scene: BoxScene) -> None:
        stated = _stated(case, scene)
        if _departs(stated.coupling, scene):
            return
        compared.append(1)
        actions = stated.individual.at(scene.noise())
        own = stated.individual.log_density(actions)
        off = (_marginal(stated.law, actions) - own).abs().max()
        assert float(off) < 1e-4, (
            f"the law's log-density is off the individual policy's by {float(off):.2g} (Eq. 16)"
        )

    if not compared:
        raise NotApplicableError("it gives up Eq. 16 for densities on purpose")


def _departs(coupling: CouplesDensities, scene: BoxScene) -> bool:
    if not isinstance(coupling, DepartsFromDensities):
        return False
    return coupling.departs_from_densities(scene.progress)


def _marginal(law: DensityLaw, actions: Tensor) -> Tensor:
    """Summed over the components by hand, in double precision."""
    total = torch.zeros(actions.shape[:-1], dtype=torch.float64)
    for index in range(law.weights.shape[-1]):
        weight = law.weights[..., index].double()
        component = torch.full(actions.shape[:-2], index)
        height = law.agent_log_densities(actions, component).double().exp()
        spread = weight.unsqueeze(-1) if weight.dim() else weight
        # A component that is never drawn may have all its mass at a point.
        total = total + torch.where(spread > 0, spread * height, 0.0)
    return total.log()


def _of_boxes(case: CouplingCase) -> None:
    spec = EnvironmentSpec(
        agents=2,
        actions=2,
        max_steps=10,
        features=4,
        teams=(0, 1),
    )
    if not isinstance(case.make(spec), CouplesDensities):
        raise NotApplicableError("it couples discrete actions alone")


def _stated(case: CouplingCase, scene: BoxScene) -> _Stated:
    coupling = case.make(scene.spec)
    assert isinstance(coupling, CouplesDensities)
    mean, log_std = scene.scores.chunk(2, -1)
    individual = GaussianDensities(mean, log_std, *scene.box.bounds(mean))
    weights = case.make(scene.spec).weights(scene.moment)
    law = coupling.density_law(individual, weights, scene.progress)
    return _Stated(coupling, individual, law)


COUPLED_DENSITY_CHECKS = by_name(
    density_law_states_ranks_that_integrate_to_one,
    density_marginal_is_the_individual_density,
)
