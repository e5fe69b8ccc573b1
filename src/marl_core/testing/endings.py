"""How episodes and lives end."""

from __future__ import annotations

import torch
from hypothesis import strategies as st
from torch import Tensor

from marl_core.testing.checking import for_all
from marl_core.testing.play import EnvironmentCase, play
from marl_core.testing.resets import GAMES
from marl_core.testing.strategies import seeds


def episodes_end_in_time(case: EnvironmentCase) -> None:
    """No episode is longer than ``max_steps``, and ``fixed_length`` holds.

    No game is terminated and truncated at once.

    Args:
        case: the environment to check.
    """

    @for_all(8, seed=seeds(), games=GAMES)
    def check(seed: int, games: int) -> None:
        environment = case.build(games, seed)
        played = play(
            environment,
            environment.reset(),
            case.generator(seed),
        )
        length = torch.stack([step.on for step in played]).sum(0)
        longest = environment.spec.max_steps
        assert (length <= longest).all(), (
            f"an episode is longer than max_steps ({longest})"
        )
        for step in played:
            both = step.on & step.result.terminated & step.result.truncated
            assert not both.any(), (
                "a game is both terminated and truncated: has it ended or not?"
            )
        if environment.spec.fixed_length:
            assert (length == longest).all(), (
                f"fixed_length is promised, but episodes last {length.tolist()} steps"
            )


def the_dead_stay_dead(case: EnvironmentCase) -> None:
    """Within an episode nobody comes back to life; who comes late has not lived before.

    Args:
        case: the environment to check.
    """

    @for_all(10, seed=seeds(), games=st.just(16))
    def check(seed: int, games: int) -> None:
        environment = case.build(games, seed)
        died: Tensor | None = None
        for step in play(
            environment,
            environment.reset(),
            case.generator(seed),
        ):
            was = step.before.alive
            now = step.result.observation.alive
            if was is None or now is None:
                continue
            died = torch.zeros_like(was) if died is None else died
            revived = (now & died)[step.on]
            assert not revived.any(), "an agent that was dead lives again"
            died = died | (was & ~now)
