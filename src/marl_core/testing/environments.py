"""What every environment must satisfy."""

from __future__ import annotations

from collections.abc import Callable

import torch
from hypothesis import strategies as st
from torch import Tensor

from marl_core.abilities import SavesState
from marl_core.collection.collector import observation_table
from marl_core.collection.episodes import games_of
from marl_core.protocols import Environment
from marl_core.testing.checking import (
    SIGMAS,
    by_name,
    for_all,
    no_global_randomness,
    run_checks,
    same,
)
from marl_core.testing.courses import check_same_course, check_same_observation
from marl_core.testing.exact_rewards import expected_rewards_agree_with_play
from marl_core.testing.layout import (
    check_finite,
    check_observation,
    check_outcome,
    expected_shapes,
)
from marl_core.testing.play import (
    EnvironmentCase,
    play,
    tensors_in,
    tensors_of,
    write_out,
)
from marl_core.testing.strategies import seeds
from marl_core.types import Observation

#: One game, two, or enough for rare things to happen.
_GAMES = st.sampled_from([1, 2, 16])


def check_environment(make: Callable[..., Environment], device: str = "cpu") -> None:
    """Run every check on the environments that ``make(games=..., device=..., generator=...)`` gives."""
    run_checks(ENVIRONMENT_CHECKS, EnvironmentCase(make, device))


def spec_is_constant_and_sensible(case: EnvironmentCase) -> None:
    """The spec promises possible things and does not change in play."""
    environment = case.build(2, 0)
    spec = environment.spec
    assert spec.agents >= 1, f"spec.agents is {spec.agents}"
    assert spec.actions >= 2, f"spec.actions is {spec.actions}"
    assert spec.max_steps >= 1, f"spec.max_steps is {spec.max_steps}"
    assert spec.features is not None or spec.entities is not None, (
        "agents see neither features nor entities"
    )
    names = [level.name for level in spec.levels]
    assert len(set(names)) == len(names), f"spec.levels has equal names: {names}"
    play(environment, environment.reset(), case.generator(1))
    assert environment.spec == spec, "the spec changed in play"


def shapes_and_types_follow_the_spec(case: EnvironmentCase) -> None:
    """Every tensor has the shape and the type that the spec promises; what it does not promise is not there."""

    @for_all(6, seed=seeds(), games=_GAMES)
    def check(seed: int, games: int) -> None:
        environment = case.build(games, seed)
        first = environment.reset()
        check_observation(environment, first, games)
        for step in play(environment, first, case.generator(seed)):
            check_observation(environment, step.result.observation, games)
            check_outcome(environment, step.result, games)


def nothing_is_nan(case: EnvironmentCase) -> None:
    """All numbers are finite: what is missing is masked."""

    @for_all(6, seed=seeds(), games=_GAMES)
    def check(seed: int, games: int) -> None:
        environment = case.build(games, seed)
        first = environment.reset()
        check_finite(tensors_in(write_out(environment, first)))
        for step in play(environment, first, case.generator(seed)):
            check_finite(tensors_in(write_out(environment, step.result.observation)))
            check_finite(tensors_of(step.result))


def same_generator_same_games(case: EnvironmentCase) -> None:
    """Equal generators and equal actions give equal games."""

    @for_all(6, seed=seeds(), games=_GAMES)
    def check(seed: int, games: int) -> None:
        environments = [case.build(games, seed) for _ in range(2)]
        one, other = (play(e, e.reset(), case.generator(seed)) for e in environments)
        check_same_course(
            one, other, "two environments with equal generators and actions"
        )


def games_do_not_influence_each_other(case: EnvironmentCase) -> None:
    """What others do in their games changes nothing in mine: at most which of the generator's numbers I get."""
    games, spec = 200, case.build(1, 0).spec
    mine = torch.arange(games, device=case.device) < games // 2

    def rewards(others: int) -> Tensor:
        environment = case.build(games, 5)
        seen, on, earned = environment.reset(), torch.ones_like(mine), []
        for step in range(min(spec.max_steps, 20)):
            actions = torch.where(
                mine.unsqueeze(-1),
                _choose(environment, seen, step),
                _choose(environment, seen, others),
            )
            result = environment.step(actions)
            earned.append(torch.where(on, result.team_reward, 0.0)[mine])
            on, seen = on & ~(result.terminated | result.truncated), result.observation
        return torch.stack(earned)

    quiet = rewards(0)
    for others in sorted({1, spec.actions - 1}):
        loud = rewards(others)
        if same(quiet, loud):
            continue
        error = (quiet.var(1) + loud.var(1)).div(quiet.shape[1]).sqrt()
        off = (quiet.mean(1) - loud.mean(1)).abs()
        assert (off <= SIGMAS * error + 1e-6).all(), (
            "a game's rewards depend on what is done in the other games"
        )


def reset_touches_only_the_games_in_the_mask(case: EnvironmentCase) -> None:
    """``reset(games)`` leaves what agents see in the other games as it was, and their clocks."""

    @for_all(
        10,
        seed=seeds(),
        mask=st.lists(st.booleans(), min_size=2, max_size=16),
        share=st.floats(0, 1),
    )
    def check(seed: int, mask: list[bool], share: float) -> None:
        environment = case.build(len(mask), seed)
        steps = int(share * (environment.spec.max_steps - 1))
        first = environment.reset()
        played = play(environment, first, case.generator(seed), steps)
        before = played[-1].result.observation if played else first
        again = torch.tensor(mask, device=case.device)
        seen = environment.reset(again)
        for name, value in tensors_in(seen).items():
            assert same(value[~again], getattr(before, name)[~again]), (
                f"reset(games) changed {name} of other games"
            )
        on = ~again
        for step in played:
            on = on & ~(step.result.terminated | step.result.truncated)
        _check_clocks(environment, seen, again, on, steps, case.generator(seed + 1))


def a_reset_game_forgets(case: EnvironmentCase) -> None:
    """After a reset, a game is as in a fresh environment with the same generator."""

    @for_all(
        6, seed=seeds(), games=_GAMES, by_mask=st.booleans(), share=st.floats(0, 1)
    )
    def check(seed: int, games: int, by_mask: bool, share: float) -> None:
        fresh, fresh_generator = case.build_with_generator(games, seed)
        used, used_generator = case.build_with_generator(games, seed + 1)
        play(
            used,
            used.reset(),
            case.generator(seed),
            1 + int(share * (used.spec.max_steps - 1)),
        )
        everything = (
            torch.ones(games, dtype=torch.bool, device=case.device) if by_mask else None
        )
        fresh.reset()
        fresh_generator.manual_seed(seed)
        used_generator.manual_seed(seed)
        first, first_used = fresh.reset(everything), used.reset(everything)
        check_same_observation(first, first_used, "a reset game and a fresh one")
        one, other = (
            play(fresh, first, case.generator(seed)),
            play(used, first_used, case.generator(seed)),
        )
        check_same_course(one, other, "a reset game and a fresh one")


def state_dict_continues_exactly(case: EnvironmentCase) -> None:
    """An environment that loads another's state, with its generator's state, goes on as that one does."""
    if not isinstance(case.build(1, 0), SavesState):
        return

    @for_all(8, seed=seeds(), games=_GAMES, share=st.floats(0, 1))
    def check(seed: int, games: int, share: float) -> None:
        environment, generator = case.build_with_generator(games, seed)
        steps = int(share * environment.spec.max_steps)
        seen = environment.reset()
        for step in play(environment, seen, case.generator(seed), steps):
            seen = step.result.observation
        assert isinstance(environment, SavesState)
        state = environment.state_dict()
        assert all(isinstance(value, Tensor) for value in state.values()), (
            "state_dict must hold tensors only"
        )
        state = {name: value.clone() for name, value in state.items()}
        twin, twin_generator = case.build_with_generator(games, seed + 1)
        assert isinstance(twin, SavesState)
        twin.reset()
        twin.load_state_dict(state)
        twin_generator.set_state(generator.get_state())
        nobody = torch.zeros(games, dtype=torch.bool, device=case.device)
        seen, seen_by_twin = environment.reset(nobody), twin.reset(nobody)
        check_same_observation(
            seen, seen_by_twin, "an environment and one that loaded its state"
        )
        one = play(environment, seen, case.generator(seed), environment.spec.max_steps)
        other = play(twin, seen, case.generator(seed), environment.spec.max_steps)
        check_same_course(one, other, "an environment and one that loaded its state")


def episodes_end_in_time(case: EnvironmentCase) -> None:
    """No episode is longer than ``max_steps``, none is terminated and truncated at once, and ``fixed_length`` holds."""

    @for_all(8, seed=seeds(), games=_GAMES)
    def check(seed: int, games: int) -> None:
        environment = case.build(games, seed)
        played = play(environment, environment.reset(), case.generator(seed))
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
    """Within an episode nobody comes back to life."""

    @for_all(10, seed=seeds(), games=st.just(16))
    def check(seed: int, games: int) -> None:
        environment = case.build(games, seed)
        for step in play(environment, environment.reset(), case.generator(seed)):
            was, now = step.before.alive, step.result.observation.alive
            if was is not None and now is not None:
                assert not (now & ~was)[step.on].any(), (
                    "an agent that was dead lives again"
                )


def table_says_what_agents_see(case: EnvironmentCase) -> None:
    """The table of distinct observations is promised by the spec, constant, and holds every situation."""
    environment = case.build(3, 0)
    spec, table = environment.spec, observation_table(environment)
    assert (table is None) == (spec.situations is None), (
        "spec.situations and distinct_observations do not go together"
    )
    if table is None:
        return
    assert spec.situations is not None
    shapes = expected_shapes(spec, spec.situations)
    for name, value in tensors_in(table).items():
        possible = {"features", "entities", "entity_mask", "action_mask", "state"}
        assert name in possible, f"the table cannot hold {name}"
        assert value.shape == shapes.get(name), (
            f"the table's {name} has shape {tuple(value.shape)}"
        )
    seen, choice = environment.reset(), case.generator(0)
    for _ in range(spec.max_steps):
        _check_situations(seen, table, spec.situations)
        seen = play(environment, seen, choice, 1)[0].result.observation
    _check_situations(seen, table, spec.situations)
    after = observation_table(environment)
    assert after is not None
    check_same_observation(
        table, after, "the table before and after play"
    )


def environment_leaves_global_randomness_alone(case: EnvironmentCase) -> None:
    """All randomness comes from the environment's own generator."""
    with no_global_randomness("the environment"):
        environment = case.build(3, 0)
        play(environment, environment.reset(), case.generator(0))
        environment.reset(torch.tensor([True, False, True], device=case.device))


def _choose(environment: Environment, seen: Observation, preferred: int) -> Tensor:
    """The legal action that comes first, counted from the preferred one on."""
    spec = environment.spec
    device = next(iter(tensors_in(seen).values())).device
    rank = (torch.arange(spec.actions, device=device) - preferred) % spec.actions
    rank = rank.expand(games_of(seen), spec.agents, -1)
    legal = write_out(environment, seen).legal_actions()
    return (
        rank.argmin(-1)
        if legal is None
        else torch.where(legal, rank, spec.actions).argmin(-1)
    )


def _check_situations(seen: Observation, table: Observation, situations: int) -> None:
    assert seen.situation is not None, (
        "an environment with a table must give situations"
    )
    inside = (seen.situation >= 0) & (seen.situation < situations)
    assert inside.all(), f"situations go beyond 0..{situations - 1}"
    if table.state is not None:
        alike = (seen.situation == seen.situation[:, :1]).all()
        assert alike, (
            "the table holds states, but agents of one game are in different situations"
        )


def _check_clocks(
    environment: Environment,
    seen: Observation,
    again: Tensor,
    on: Tensor,
    elapsed: int,
    choice: torch.Generator,
) -> None:
    """Play on after some games were reset: those have all their time before them, the others what was left of it."""
    spec = environment.spec
    allowed = torch.where(again, spec.max_steps, spec.max_steps - elapsed)
    played = play(environment, seen, choice)
    length, still = torch.zeros_like(allowed), again | on
    for step in played:
        length, still = (
            length + still,
            still & ~(step.result.terminated | step.result.truncated),
        )
    follow = again | on
    assert (length <= allowed)[follow].all(), (
        "reset(games) gave other games more time, or those reset kept playing"
    )
    if spec.fixed_length:
        assert (length == allowed)[follow].all(), (
            "reset(games) changed how long episodes last"
        )


ENVIRONMENT_CHECKS = by_name(
    table_says_what_agents_see,
    spec_is_constant_and_sensible,
    shapes_and_types_follow_the_spec,
    nothing_is_nan,
    same_generator_same_games,
    games_do_not_influence_each_other,
    reset_touches_only_the_games_in_the_mask,
    a_reset_game_forgets,
    state_dict_continues_exactly,
    episodes_end_in_time,
    the_dead_stay_dead,
    expected_rewards_agree_with_play,
    environment_leaves_global_randomness_alone,
)
