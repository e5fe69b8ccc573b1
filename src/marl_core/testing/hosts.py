"""What every host algorithm must satisfy."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import islice
from operator import itemgetter

import torch
from hypothesis import strategies as st

from marl_core.abilities import HasOwnHeads
from marl_core.collection.collector import observation_table
from marl_core.collection.episodes import games_of
from marl_core.learning import LearningContext
from marl_core.protocols import Environment, ExplorationStrategy, HostAlgorithm
from marl_core.testing.checking import (
    by_name,
    close,
    for_all,
    no_global_randomness,
    run_checks,
    same,
)
from marl_core.testing.learning import (
    PRACTICE,
    ROLLOUTS,
    HostCase,
    course_of_play,
    descend,
    gradients_of,
    learn,
    parameters_of,
    rollouts,
    score_all,
    trainable,
)
from marl_core.testing.plain import PLAIN
from marl_core.testing.play import EnvironmentCase, play
from marl_core.testing.strategies import seeds
from marl_core.types import EnvironmentSpec, Observation


def check_host(
    make: Callable[[EnvironmentSpec, torch.Generator], HostAlgorithm],
    environment: Callable[..., Environment] | None = None,
    exploration: ExplorationStrategy = PLAIN,
) -> None:
    """Run every check on the hosts that ``make(spec, generator)`` gives.

    Args:
        make: builds a host for a spec; often ``functools.partial(SomeHost, config)``.
        environment: what to play, as for ``check_environment``; by default ``practice.Practice``, which gives
            features, entities, state, action masks and deaths.
        exploration: how the team explores; by default a softmax of the scores.
    """
    played = PRACTICE if environment is None else EnvironmentCase(environment)
    run_checks(HOST_CHECKS, HostCase(make, played, exploration))


def scores_have_the_promised_shape(case: HostCase) -> None:
    """A finite score for every action of every agent; memory keeps its names, shapes and types."""
    host, spec = case.build(), case.environment.build(1, 0).spec

    @for_all(5, seed=seeds(), games=st.integers(1, 4))
    def check(seed: int, games: int) -> None:
        memory = host.initial_memory(games)
        assert bool(memory) == host.capabilities.memory, (
            "capabilities.memory and initial_memory do not go together"
        )
        for seen in course_of_play(case, games, seed):
            scores, following = host.scores(seen, memory)
            assert scores.shape == (games, spec.agents, spec.actions), (
                f"scores have shape {tuple(scores.shape)}"
            )
            assert scores.isfinite().all(), "scores are not finite"
            layout = {
                name: (value.shape, value.dtype) for name, value in memory.items()
            }
            changed = {
                name: (value.shape, value.dtype) for name, value in following.items()
            }
            assert changed == layout, (
                f"memory changed its layout from {layout} to {changed}"
            )
            assert all(shape[0] == games for shape, _ in layout.values()), (
                "memory does not have E as its leading axis"
            )
            memory = following


def games_do_not_share_scores(case: HostCase) -> None:
    """A game's scores, over a whole episode, are the same alone as among many."""
    host = case.build()

    @for_all(5, seed=seeds(), games=st.integers(2, 5))
    def check(seed: int, games: int) -> None:
        course = course_of_play(case, games, seed)
        together = score_all(host, course, games)
        for game in range(games):
            own = slice(game, game + 1)
            alone = score_all(host, [seen.map(itemgetter(own)) for seen in course], 1)
            for one, all_of_them in zip(alone, together, strict=True):
                assert close(one, all_of_them[own]), (
                    "a game's scores depend on the other games of the batch"
                )


def scores_do_not_change_by_looking(case: HostCase) -> None:
    """Scores are a function of observation, memory and parameters; equal generators make equal hosts."""
    host, twin = case.build(3), case.build(3)
    course = course_of_play(case, 4, 1)
    first = score_all(host, course, 4)
    for what, other in (
        ("asked again, a host", host),
        ("a host from an equal generator", twin),
    ):
        for one, another in zip(first, score_all(other, course, 4), strict=True):
            assert same(one, another), f"{what} gives other scores"
    different = score_all(case.build(4), course, 4)
    assert not same(first[0], different[0]), (
        "initial weights do not depend on the generator"
    )


def losses_teach_every_parameter(case: HostCase) -> None:
    """A rollout brings losses, each finite; their gradients reach every trainable parameter."""
    host = case.build()
    reached = dict.fromkeys(
        trainable(host), False
    )
    _check_groups(host)
    count = 0
    for loss in learn(case, host):
        count += 1
        assert loss.total.shape == (), f"a loss has shape {tuple(loss.total.shape)}"
        assert loss.total.isfinite(), "a loss is not finite"
        for name, gradient in gradients_of(host, loss).items():
            assert gradient is None or gradient.isfinite().all(), (
                f"the gradient of {name} is not finite"
            )
            reached[name] |= gradient is not None and bool(gradient.any())
    assert count, f"{ROLLOUTS} rollouts brought no loss"
    missed = [name for name, was_reached in reached.items() if not was_reached]
    assert not missed, f"no gradient reaches {', '.join(missed)}"


def padding_teaches_nothing(case: HostCase) -> None:
    """What stands behind the end of a game has no influence on the losses."""
    spec = case.environment.build(1, 0).spec
    if spec.fixed_length:
        return
    rollout = next((r for r in rollouts(case, case.build()) if not r.valid.all()), None)
    if rollout is None:
        return
    padded = ~rollout.valid
    junk = torch.where(padded, 1000.0, 0.0)
    spoilt = replace(
        rollout,
        reward=rollout.reward + junk.unsqueeze(-1),
        team_reward=rollout.team_reward + junk,
    )
    hosts = case.build(), case.build()
    clean, dirty = (
        [
            loss.total.detach()
            for loss in islice(host.losses(of, case.exploration.individual, LearningContext()), 1)
        ]
        for host, of in zip(hosts, (rollout, spoilt), strict=True)
    )
    assert all(close(a, b) for a, b in zip(clean, dirty, strict=True)), (
        "rewards behind the end of games change a loss"
    )


def table_and_samples_agree(case: HostCase) -> None:
    """Scored once for each distinct observation or once for each sample: the scores are the same."""
    host, environment = case.build(), case.environment.build(4, 0)
    table = observation_table(environment)
    if table is None or host.capabilities.memory:
        return
    with torch.no_grad():
        on_table, _ = host.scores(table, {})
        for step in play(
            environment, environment.reset(), case.environment.generator(0)
        ):
            situation = step.before.situation
            assert situation is not None
            looked_up = on_table[
                situation, torch.arange(situation.shape[1], device=situation.device)
            ]
            written, _ = host.scores(
                replace(step.before.look_up(table), situation=None), {}
            )
            assert close(looked_up, written), (
                "the scores of the table's rows are not those of the samples"
            )


def state_dict_holds_the_policy(case: HostCase) -> None:
    """A host that loads another's state scores as that one does, after some learning too."""
    host, other = case.build(0), case.build(1)
    for loss in islice(learn(case, host), 3):
        descend(host, loss)
    other.load_state_dict(host.state_dict())
    course = course_of_play(case, 4, 1)
    for one, another in zip(
        score_all(host, course, 4), score_all(other, course, 4), strict=True
    ):
        assert same(one, another), "state_dict does not hold all that scores depend on"


def own_heads_change_no_score(case: HostCase) -> None:
    """``give_each_agent_its_own_head`` leaves scores as they were, freezes the body, and parts the agents."""
    host, course = case.build(), course_of_play(case, 4, 1)
    before = score_all(host, course, 4)
    assert isinstance(host, HasOwnHeads) == host.capabilities.own_heads, (
        "capabilities.own_heads and give_each_agent_its_own_head do not go together"
    )
    if not isinstance(host, HasOwnHeads):
        return
    host.give_each_agent_its_own_head()
    for one, another in zip(before, score_all(host, course, 4), strict=True):
        assert close(one, another), "give_each_agent_its_own_head changed the scores"
    frozen = {
        name: p.detach().clone()
        for name, p in parameters_of(host).items()
        if not p.requires_grad
    }
    assert frozen, "give_each_agent_its_own_head froze nothing"
    _check_groups(host)
    _check_agents_are_apart(host, course[0])
    for loss in islice(learn(case, host), 3):
        descend(host, loss)
    for name, value in frozen.items():
        assert same(value, parameters_of(host)[name].detach()), (
            f"{name} is frozen, yet it changed"
        )


def host_leaves_global_randomness_alone(case: HostCase) -> None:
    """Initial weights come from the generator that a host is given; scores and losses draw nothing."""
    with no_global_randomness("the host"):
        host = case.build()
        for loss in islice(learn(case, host), 2):
            gradients_of(host, loss)


def _check_groups(host: HostAlgorithm) -> None:
    """Every trainable parameter is optimised, and by one group only."""
    names = {parameter: name for name, parameter in parameters_of(host).items()}
    grouped = [
        parameter for group in host.parameter_groups() for parameter in group.parameters
    ]
    assert all(parameter in names for parameter in grouped), (
        "a parameter group holds what is no parameter of the host"
    )
    trained = [names[parameter] for parameter in grouped if parameter.requires_grad]
    assert len(set(trained)) == len(trained), "a parameter is in two groups"
    left_out = sorted(trainable(host).keys() - set(trained))
    assert not left_out, (
        f"parameter_groups leaves out {', '.join(left_out)}: frozen parameters need requires_grad=False"
    )


def _check_agents_are_apart(host: HostAlgorithm, seen: Observation) -> None:
    """What the scores of one agent depend on is not what those of another do."""
    scores, _ = host.scores(seen, host.initial_memory(games_of(seen)))
    parameters = list(trainable(host).values())
    touched = [torch.zeros_like(p, dtype=torch.bool) for p in parameters]
    for agent in range(scores.shape[-2]):
        gradients = torch.autograd.grad(
            scores[:, agent].square().sum(),
            parameters,
            allow_unused=True,
            retain_graph=True,
        )
        for before, gradient in zip(touched, gradients, strict=True):
            if gradient is not None:
                assert not (before & (gradient != 0)).any(), (
                    "agents share parameters of the head that is their own"
                )
                before |= gradient != 0


HOST_CHECKS = by_name(
    scores_have_the_promised_shape,
    games_do_not_share_scores,
    scores_do_not_change_by_looking,
    losses_teach_every_parameter,
    padding_teaches_nothing,
    table_and_samples_agree,
    state_dict_holds_the_policy,
    own_heads_change_no_score,
    host_leaves_global_randomness_alone,
)
