"""How episodes and lives end."""

from __future__ import annotations

import torch
from hypothesis import strategies as st
from torch import Tensor

from marl_core.protocols import Environment
from marl_core.testing.checking import by_name, for_all
from marl_core.testing.play import EnvironmentCase, Played, play, write_out
from marl_core.testing.strategies import seeds
from marl_core.testing.verdicts import NotApplicableError
from marl_core.types import Observation

#: One game, two, or enough for rare things to happen.
GAMES = st.sampled_from([1, 2, 16])
#: How many games are looked at together.
_MANY = 64
#: With fewer games that ended, or reached the limit, nothing is said about them.
_ENOUGH = 8


def episodes_end_in_time(case: EnvironmentCase) -> None:
    """No episode is longer than ``max_steps``, and ``fixed_length`` holds.

    No game is terminated and truncated at once.

    Why:
        Buffers have room for ``max_steps``, and values are bootstrapped by the way a game ends.

    Broken by:
        An end that is told one step late, ``>`` for ``>=``, both ends at once.

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

    Why:
        A learner takes what an agent earns after its death for what it did before.

    Broken by:
        The ill who count as dead, a reset within a step.

    Args:
        case: the environment to check.
    """

    if not case.build(1, 0).spec.agents_die:
        raise NotApplicableError("nobody dies in it")

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


def a_step_starts_no_game(case: EnvironmentCase) -> None:
    """After its last step a game is seen as it ended; only ``reset`` starts it anew.

    It is looked for in what is the same at the beginning of every game, as a clock is.

    Why:
        The last observation would be that of another game, and values are bootstrapped from it.

    Broken by:
        Vector environments that reset by themselves.

    Args:
        case: the environment to check.
    """
    environment = case.build(_MANY, 0)
    first = environment.reset()
    other = case.build(_MANY, 1)
    fresh = torch.cat([_written(environment, first), _written(other, other.reset())])
    constant = (fresh == fresh[0]).all(0)
    going_on, ended = [], []
    for step in play(environment, first, case.generator(0)):
        seen = _written(environment, step.result.observation)
        like_new = (seen == fresh[0])[:, constant].all(-1)
        going_on.append(like_new[step.still_on])
        ended.append(like_new[step.on & step.result.ended])
    among, at_the_end = torch.cat(going_on), torch.cat(ended)
    few = min(len(among), len(at_the_end)) < _ENOUGH
    if few or among.float().mean() > 0.25:
        raise NotApplicableError("nobody can tell a new game from one that goes on")
    assert not at_the_end.all(), (
        f"after the last step of all {len(at_the_end)} games agents see a new game: "
        "does step reset? The last observation is needed for bootstrapping"
    )


def a_limit_from_outside_is_no_end(case: EnvironmentCase) -> None:
    """A time limit that is no part of the task is reported as truncated, not as terminated.

    Values are bootstrapped after the one and not after the other. Where agents see the time, or
    where the task gives its verdict by a win or an unusual reward, the limit belongs to the task.

    Why:
        Values behind a time limit are not 0; taken for 0 they are wrong in every state.

    Broken by:
        ``terminated = step >= max_steps``, as in many libraries.

    Args:
        case: the environment to check.
    """
    environment = case.build(_MANY, 0)
    limit = environment.spec.max_steps
    played = play(environment, environment.reset(), case.generator(0))
    lasting = played[limit - 1].on if len(played) >= limit else torch.zeros(1)
    if limit == 1 or lasting.sum() < _ENOUGH:
        raise NotApplicableError("no game lasts until max_steps in random play")
    if played[limit - 1].result.truncated[lasting].any():
        return
    of_task = _time_is_seen(environment, played[:limit], lasting)
    assert of_task or _has_verdict(played[:limit], lasting), (
        f"every game that lasts max_steps ({limit}) is terminated then, though agents do not see "
        "the time and nothing is decided: is it a limit from outside, to be reported as truncated?"
    )


def _has_verdict(played: list[Played], games: Tensor) -> bool:
    """Whether the last step is rewarded as no step before it, or games are won with it."""
    rewards = [step.result.team_reward[games] for step in played]
    last, earlier = rewards[-1], torch.cat(rewards[:-1])
    unusual = (last > earlier.max()) | (last < earlier.min())
    won = played[-1].result.won
    return bool(unusual.any() or (won is not None and won[games].any()))


def _time_is_seen(
    environment: Environment, played: list[Played], games: Tensor
) -> bool:
    """Whether any number that is seen tells the last step from all those before it."""
    seen = [_written(environment, step.before)[games] for step in played]
    last, earlier = seen[-1], torch.cat(seen[:-1])
    after = last.amin(0) > earlier.amax(0)
    before = last.amax(0) < earlier.amin(0)
    own = (last == last[0]).all(0) & ~(earlier == last[0]).any(0)
    return bool((after | before | own).any())


def _written(environment: Environment, seen: Observation) -> Tensor:
    """All that is seen in each game as one row of numbers, ``[E, numbers]``."""
    tensors = write_out(environment, seen).tensors()
    rows = [tensors[name].flatten(1).float() for name in sorted(tensors)]
    return torch.cat(rows, -1)


ENDING_CHECKS = by_name(
    episodes_end_in_time,
    a_step_starts_no_game,
    the_dead_stay_dead,
    a_limit_from_outside_is_no_end,
)
