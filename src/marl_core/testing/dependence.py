"""On what the law of a coupling may depend, and on what not."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from marl_core.joint_policy import JointPolicy, greedy_actions
from marl_core.testing.checking import (
    by_name,
    close,
    for_all,
    no_global_randomness,
    same,
)
from marl_core.testing.laws import CouplingCase, Stated
from marl_core.testing.scenes import Scene, scenes
from marl_core.testing.strategies import progresses
from marl_core.types import Progress


def games_do_not_influence_each_other(case: CouplingCase) -> None:
    """A team's weights and law are the same alone as among others.

    Why:
        Each game has a team of its own.

    Broken by:
        A mean over the batch, the weights of another game.

    Args:
        case: the coupling to check.
    """

    @for_all(50, scene=scenes(games=(2, 4)))
    def check(scene: Scene) -> None:
        coupling = case.make(scene.spec)
        together = _answers(case.stated(scene, coupling), scene)
        for game in range(scene.games):
            own = scene.game(game)
            alone = _answers(case.stated(own, coupling), own)
            for name, value in together.items():
                shared = name == "weights" and value.dim() == 1
                among = value if shared else value[game]
                one = alone[name] if shared else alone[name][0]
                assert close(one, among), (
                    f"a team's {name} depends on the other games of the batch"
                )


def schedules_depend_on_progress_alone(case: CouplingCase) -> None:
    """Asked again at the same progress, whatever was asked between, a coupling says the same.

    So does a fresh one.

    Why:
        Evaluation and learning ask as often as they like, and a resumed run asks anew.

    Broken by:
        A ``step()`` that counts calls, a cache.

    Args:
        case: the coupling to check.
    """

    @for_all(50, scene=scenes(), other=progresses())
    def check(scene: Scene, other: Progress) -> None:
        coupling = case.make(scene.spec)
        first = _answers(case.stated(scene, coupling), scene)
        later = replace(scene, progress=other)
        _answers(case.stated(later, coupling), later)
        for asked in (coupling, case.make(scene.spec)):
            for name, value in _answers(
                case.stated(scene, asked),
                scene,
            ).items():
                assert same(value, first[name]), (
                    f"{name} depends on what was asked before, not on progress alone"
                )


def coupling_leaves_global_randomness_alone(case: CouplingCase) -> None:
    """A coupling states laws; it draws nothing.

    Why:
        The kernel alone draws.

    Broken by:
        A coin that is tossed in ``weights`` or ``law``.

    Args:
        case: the coupling to check.
    """

    @for_all(20, scene=scenes())
    def check(scene: Scene) -> None:
        with no_global_randomness("the coupling"):
            _answers(case.stated(scene), scene)


def _answers(stated: Stated, scene: Scene) -> dict[str, Tensor]:
    """All that a coupling says about a scene: its weights, and its law for each game."""
    law = stated.law
    greedy = greedy_actions(stated.own_policies)
    last = scene.legal.long().cumsum(-1).argmax(-1)
    said = []
    for index in range(stated.components):
        component = torch.full((scene.games,), index)
        for actions in (greedy, last):
            said.append(law.log_probability(actions, component))
    answers = {
        "weights": stated.weights,
        "individual policy": law.individual,
        "marginal": law.marginal(),
        "law": torch.stack(said, -1).exp(),
    }
    if isinstance(law, JointPolicy):
        answers["components"] = law.components.transpose(0, 1)
    return answers


CONSTANCY_CHECKS = by_name(
    coupling_leaves_global_randomness_alone,
    schedules_depend_on_progress_alone,
)
