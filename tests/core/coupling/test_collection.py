"""The collector draws what couplings state, for each game and at the right moment."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from marl_core.capabilities import CouplingNeeds, Holds
from marl_core.collection.collector import Collector
from marl_core.exploration.coupled import CoupledExploration
from marl_core.joint_policy import JointLaw, JointPolicy, certain, greedy_actions
from marl_core.sequential_policy import SequentialPolicy
from marl_core.testing.plain import PlainHost, PlainSoftmax
from marl_core.types import Moment, Observation, Progress, Rollout, StepResult
from tests.support.inherits_nothing import (
    Halves,
    HalvesConfig,
    Lanterns,
    LanternsConfig,
)

ACTIONS = 2


def colours(seen: Observation) -> Tensor:
    """The colour of each game, as its agents see it."""
    assert seen.features is not None
    return seen.features[..., 0, :2].argmax(-1)


class ChangingLanterns(Lanterns):
    """Each game draws a new colour at every step."""

    def step(self, actions: Tensor) -> StepResult:
        self.colour = (self.uniform() < 0.5).long()
        return super().step(actions)


class ByColour:
    """A game's component is, for certain, its colour; in component c all agents take action c."""

    component_names = ("dark", "light")
    needs = CouplingNeeds(whole_game=True)

    def __init__(self, holds: Holds) -> None:
        self.holds = holds

    def weights(self, moment: Moment) -> Tensor:
        assert moment.observation is not None
        return certain(colours(moment.observation), 2)

    def law(self, policies: Tensor, weights: Tensor, progress: Progress) -> JointLaw:
        every = [torch.full(policies.shape[:-1], action) for action in range(ACTIONS)]
        components = torch.stack([certain(actions, ACTIONS) for actions in every])
        return JointPolicy(policies, components, weights)


class InTurn:
    """The first agent draws, and each other one does the opposite of the one before it."""

    component_names = ()
    needs = CouplingNeeds(whole_game=True)
    holds: Holds = "episode"

    def weights(self, moment: Moment) -> Tensor:
        return torch.ones(1)

    def law(self, policies: Tensor, weights: Tensor, progress: Progress) -> JointLaw:
        def opposite(agent: int, actions: Tensor, component: Tensor) -> Tensor:
            if agent == 0:
                return policies[:, 0]
            return certain(1 - actions[:, -1], ACTIONS)

        return SequentialPolicy(policies, weights, opposite)


class GreedyLatent:
    """Agents are greedy by the scores of the latent variable's value."""

    component_names = ("first", "second")
    needs = CouplingNeeds(component_scores=2)
    holds: Holds = "episode"

    def weights(self, moment: Moment) -> Tensor:
        return torch.tensor([0.5, 0.5])

    def law(self, policies: Tensor, weights: Tensor, progress: Progress) -> JointLaw:
        components = certain(greedy_actions(policies), ACTIONS)
        return JointPolicy(policies.mean(0), components, weights)


def _host() -> PlainHost:
    spec = _lanterns(Lanterns, 1).spec
    host = PlainHost(spec, torch.Generator().manual_seed(1))
    host.score_components(2)
    return host


def _lanterns(lanterns: type[Lanterns], games: int) -> Lanterns:
    generator = torch.Generator().manual_seed(0)
    config = LanternsConfig()
    return lanterns(config, games=games, device="cpu", generator=generator)


def _collected(
    coupling: Any, lanterns: type[Lanterns] = Lanterns, games: int = 12
) -> Rollout:
    """Episodes of games that are started anew until there are 100."""
    environment = _lanterns(lanterns, games)
    generator = torch.Generator().manual_seed(2)
    collector = Collector(environment, generator, episodes=100)
    strategy = CoupledExploration(PlainSoftmax(), coupling)
    return collector.collect(_host(), strategy, Progress())


@pytest.mark.parametrize("games", [12, 100])
def test_each_episode_draws_by_what_is_seen_at_its_start(games: int) -> None:
    rollout = _collected(ByColour("episode"), ChangingLanterns, games)
    at_start = colours(rollout.observations)[0]
    assert at_start.float().mean() == pytest.approx(0.5, abs=0.2)
    expected = at_start.expand_as(rollout.component)
    assert torch.equal(rollout.component[rollout.valid], expected[rollout.valid])
    component = rollout.component.unsqueeze(-1).expand_as(rollout.actions)
    assert torch.equal(rollout.actions[rollout.valid], component[rollout.valid])


@pytest.mark.parametrize("games", [12, 100])
def test_each_step_draws_by_what_is_seen_then(games: int) -> None:
    rollout = _collected(ByColour("step"), ChangingLanterns, games)
    seen = colours(rollout.observations)
    assert torch.equal(rollout.component[rollout.valid], seen[rollout.valid])
    assert (rollout.component != rollout.component[0])[rollout.valid].any()


def test_agents_in_turn_know_what_those_before_them_do() -> None:
    actions = _collected(InTurn()).actions
    assert (actions[..., 1:] == 1 - actions[..., :-1]).all()
    assert 0 < actions[..., 0].float().mean() < 1


def test_actions_are_by_the_scores_of_the_drawn_component() -> None:
    rollout = _collected(GreedyLatent())
    valid = rollout.valid
    scores, _ = _host().component_scores(rollout.observations, {})
    first, second = greedy_actions(scores)
    drawn = rollout.component.unsqueeze(-1)
    expected = torch.where(drawn == 0, first, second)
    assert (first != second).any()
    assert torch.equal(rollout.actions[valid], expected[valid])
    for_the_episode = rollout.component[:1].expand_as(rollout.component)
    assert torch.equal(rollout.component[valid], for_the_episode[valid])
    assert 0.2 < rollout.component[0].float().mean() < 0.8


def test_shared_weights_are_those_of_the_draw() -> None:
    rollout = _collected(Halves(HalvesConfig(share=1.0), None))  # type: ignore[arg-type]
    assert not rollout.component.any()
