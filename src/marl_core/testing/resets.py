"""What every environment must satisfy when games start anew, or go on from a saved state."""

from __future__ import annotations

import torch
from hypothesis import strategies as st
from torch import Tensor

from marl_core.abilities import SavesState
from marl_core.protocols import Environment
from marl_core.testing.alike import difference, follow, preferring
from marl_core.testing.checking import by_name, for_all, same
from marl_core.testing.endings import GAMES
from marl_core.testing.ownership import assert_saves_state
from marl_core.testing.play import EnvironmentCase, Played, play
from marl_core.testing.strategies import seeds
from marl_core.testing.trajectories import (
    check_same_observation,
    check_same_trajectory,
)
from marl_core.types import Observation

#: How many games are compared by their means, over at most how many steps.
_MANY = 200
_STEPS = 20
#: The share of an episode that is played first.
_SHARES = st.integers(0, 16).map(lambda number: number / 16)


def reset_touches_only_the_games_in_the_mask(case: EnvironmentCase) -> None:
    """``reset(games)`` leaves what agents see in the other games as it was, and their clocks.

    Why:
        Games that are on would lose their past.

    Broken by:
        A clock that all games share, a mask along the wrong axis.

    Args:
        case: the environment to check.
    """

    @for_all(
        10,
        seed=seeds(),
        mask=st.lists(st.booleans(), min_size=2, max_size=16),
        share=_SHARES,
    )
    def check(
        seed: int,
        mask: list[bool],
        share: float,
    ) -> None:
        environment = case.build(len(mask), seed)
        steps = int(share * (environment.spec.max_steps - 1))
        first = environment.reset()
        played = play(
            environment,
            first,
            case.generator(seed),
            steps,
        )
        before = played[-1].result.observation if played else first
        again = torch.tensor(mask, device=case.device)
        seen = environment.reset(again)
        for name, value in seen.tensors().items():
            assert same(
                value[~again],
                getattr(before, name)[~again],
            ), f"reset(games) changed {name} of other games"
        on = ~again
        if played:
            on = on & played[-1].still_on
        left = torch.where(again, 0, steps)
        follow = play(
            environment,
            seen,
            case.generator(seed + 1),
        )
        _check_clocks(
            environment,
            follow,
            again | on,
            left,
        )


def _check_clocks(
    environment: Environment,
    played: list[Played],
    on: Tensor,
    elapsed: Tensor,
) -> None:
    """See that games which are on last as long as their clocks allow.

    Args:
        environment: was played.
        played: how it went on after some games were reset.
        on: which games were on after the reset, ``[E]``.
        elapsed: how many steps each game had had by then, ``[E]``.
    """
    spec = environment.spec
    allowed = spec.max_steps - elapsed
    length = torch.zeros_like(allowed)
    still = on
    for step in played:
        length = length + still
        still = still & ~step.result.ended
    assert (length <= allowed)[on].all(), (
        "reset(games) gave other games more time, or those reset kept playing"
    )
    if spec.fixed_length:
        assert (length == allowed)[on].all(), (
            "reset(games) changed how long episodes last"
        )


def a_reset_game_forgets(case: EnvironmentCase) -> None:
    """After a reset, a game is as in a fresh environment with the same generator.

    Why:
        An episode would depend on the one before it.

    Broken by:
        A part of the state that ``reset`` leaves out: illness, velocity, a memory.

    Args:
        case: the environment to check.
    """

    @for_all(
        6,
        seed=seeds(),
        games=GAMES,
        by_mask=st.booleans(),
        share=_SHARES,
    )
    def check(
        seed: int,
        games: int,
        by_mask: bool,
        share: float,
    ) -> None:
        fresh, fresh_generator = case.build_with_generator(games, seed)
        used, used_generator = case.build_with_generator(games, seed + 1)
        steps = 1 + int(share * (used.spec.max_steps - 1))
        play(
            used,
            used.reset(),
            case.generator(seed),
            steps,
        )
        everything = torch.ones(
            games,
            dtype=torch.bool,
            device=case.device,
        )
        which = everything if by_mask else None
        fresh.reset()
        fresh_generator.manual_seed(seed)
        used_generator.manual_seed(seed)
        first = fresh.reset(which)
        first_used = used.reset(which)
        who = "a reset game and a fresh one"
        check_same_observation(first, first_used, who)
        one = play(
            fresh,
            first,
            case.generator(seed),
        )
        other = play(
            used,
            first_used,
            case.generator(seed),
        )
        check_same_trajectory(one, other, who)


def resets_are_alike(case: EnvironmentCase) -> None:
    """A game that a mask starts anew is as one of a reset of all games.

    A mask of all games gives the very same as None; one of some games gives alike games.

    Why:
        Later episodes of a collection would be of another task than the first ones.

    Broken by:
        Two code paths in ``reset``, masks that are computed before the new state.

    Args:
        case: the environment to check.
    """
    _check_mask_of_all(case)
    fresh = case.build(_MANY, 0)
    half = torch.arange(_MANY, device=case.device) % 2 == 0
    at_once = follow(fresh, fresh.reset(), preferring, half, _STEPS)
    used = case.build(_MANY, 1)
    play(used, used.reset(), case.generator(1), max(1, used.spec.max_steps // 2))
    by_mask = follow(used, used.reset(half), preferring, half, _STEPS)
    found = difference(at_once, by_mask)
    assert found is None, (
        f"games that reset(mask) starts differ in {found} from those of reset()"
    )


def _check_mask_of_all(case: EnvironmentCase) -> None:
    resets = []
    for everything in (None, torch.ones(4, dtype=torch.bool, device=case.device)):
        environment, generator = case.build_with_generator(4, 0)
        play(environment, environment.reset(), case.generator(0), 1)
        generator.manual_seed(1)
        resets.append(environment.reset(everything))
    at_once, by_mask = resets
    who = "reset() and reset(mask of all games)"
    check_same_observation(at_once, by_mask, who)


def state_dict_continues_exactly(case: EnvironmentCase) -> None:
    """An environment that loads another's state goes on as that one does.

    It has the generator's state, too.

    Why:
        Pages of an episode are drawn from saved states.

    Broken by:
        A part of the state that is left out, a tensor that is not restored.

    Args:
        case: the environment to check.
    """
    assert_saves_state(case.build(1, 0))

    @for_all(10, seed=seeds(), games=GAMES, share=_SHARES)
    def check(
        seed: int,
        games: int,
        share: float,
    ) -> None:
        environment, generator = case.build_with_generator(games, seed)
        steps = int(share * environment.spec.max_steps)
        play(
            environment,
            environment.reset(),
            case.generator(seed),
            steps,
        )
        twin, twin_generator = case.build_with_generator(games, seed + 1)
        twin.reset()
        _load(twin, _saved(environment))
        twin_generator.set_state(generator.get_state())
        nobody = torch.zeros(
            games,
            dtype=torch.bool,
            device=case.device,
        )
        seen = environment.reset(nobody)
        who = "an environment and one that loaded its state"
        check_same_observation(seen, twin.reset(nobody), who)
        one = _play_on(case, environment, seen, seed)
        other = _play_on(case, twin, seen, seed)
        check_same_trajectory(one, other, who)


def _saved(environment: Environment) -> dict[str, Tensor]:
    assert isinstance(environment, SavesState)
    state = environment.state_dict()
    assert all(isinstance(value, Tensor) for value in state.values()), (
        "state_dict must hold tensors only"
    )
    return {name: value.clone() for name, value in state.items()}


def _load(environment: Environment, state: dict[str, Tensor]) -> None:
    assert isinstance(environment, SavesState)
    environment.load_state_dict(state)


def _play_on(
    case: EnvironmentCase,
    environment: Environment,
    seen: Observation,
    seed: int,
) -> list[Played]:
    steps = environment.spec.max_steps
    return play(
        environment,
        seen,
        case.generator(seed),
        steps,
    )


RESET_CHECKS = by_name(
    reset_touches_only_the_games_in_the_mask,
    a_reset_game_forgets,
    resets_are_alike,
    state_dict_continues_exactly,
)
