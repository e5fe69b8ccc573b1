"""Whether joint actions are drawn as a law says."""

from __future__ import annotations

import torch
from torch import Tensor

from marl_core.joint_policy import JointLaw, draw_components
from marl_core.testing.checking import counts_agree, for_all
from marl_core.testing.laws import CouplingCase, law_over_components
from marl_core.testing.scenes import Scene, scenes
from marl_core.testing.strategies import seeds

#: How many joint actions are drawn to compare their frequencies with the law.
_DRAWS = 20_000


def sampling_follows_the_stated_law(case: CouplingCase) -> None:
    """Joint actions that the kernel draws are as frequent as the law and its weights say.

    Why:
        What is stated is what was to be played.

    Broken by:
        A sampler of one's own; a sequential law without ``needs.whole_game``.

    Args:
        case: the coupling to check.
    """
    teams = scenes(
        games=(1, 1),
        agents=(2, 2),
        actions=(3, 3),
    )

    @for_all(12, scene=teams, seed=seeds())
    def check(scene: Scene, seed: int) -> None:
        coupling = case.make(scene.spec)
        generator = torch.Generator().manual_seed(seed)
        alone = case.stated(scene, coupling)
        expected = _DRAWS * law_over_components(
            case,
            scene,
            coupling,
            alone,
        )
        many = case.stated(scene.repeated(0, _DRAWS), coupling)
        component = draw_components(many.weights, _DRAWS, generator)
        _check_counts(many.law.sampler().draw(component, generator), expected)
        if not alone.coupling.needs.whole_game:
            drawn = _drawn_from_table(alone.law, component, generator)
            _check_counts(drawn, expected)


def _drawn_from_table(
    law: JointLaw,
    component: Tensor,
    generator: torch.Generator,
) -> Tensor:
    """Draws of many games whose agents are all in row 0 of the law."""
    agents = law.individual.shape[-2]
    everyone_alike = torch.zeros(
        len(component),
        agents,
        dtype=torch.int64,
    )
    try:
        return law.sampler().draw(component, generator, everyone_alike)
    except ValueError as error:
        raise AssertionError(
            f"the law cannot be drawn from a table, so needs.whole_game must be set: {error}"
        ) from error


def _check_counts(actions: Tensor, expected: Tensor) -> None:
    """Hold draws of two agents with three actions each against how often they are expected."""
    numbers = actions[:, 0] * 3 + actions[:, 1]
    observed = torch.bincount(numbers, minlength=9).tolist()
    rounded = expected.round().int().tolist()
    assert counts_agree(observed, expected.tolist()), (
        f"joint actions were drawn {observed} times, expected {rounded}"
    )
