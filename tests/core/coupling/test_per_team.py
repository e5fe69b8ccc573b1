"""Teams that share something each, apart from the others: the law, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from marl_core.coupling.greedy import Greedy
from marl_core.coupling.per_team import PerTeam, PerTeamConfig
from marl_core.errors import UserError
from marl_core.joint_policy import draw_components
from marl_core.protocols import Coupling
from marl_core.testing import COUPLING_CHECKS, CouplingCase
from marl_core.types import EnvironmentSpec, Moment, Progress
from marl_pr.coupling import PolicyResonance
from marl_pr.resonance import corrected_policy, greedy_policies
from tests.support.wide_laws import SharedLatent, Watchful

#: After the ramp, eta is eta_max.
LATE = Progress(stage_episodes=10**6)
NOW = Moment(LATE, torch.device("cpu"))
SPEC = EnvironmentSpec(agents=4, actions=3, max_steps=5, features=2, teams=(0, 1, 1, 0))
RESONANCE = {"name": "policy_resonance", "p_min": 0.05, "ramp_episodes": 0}


def by_config(spec: EnvironmentSpec, **changes: Any) -> Coupling:
    described = {"coupling": {**RESONANCE, **changes}}
    return PerTeam(PerTeamConfig.model_validate(described), spec)


def watchful(spec: EnvironmentSpec) -> Coupling:
    """Weights that differ from game to game."""
    assert spec.teams is not None
    return PerTeam.over(Watchful(), spec.teams)


@pytest.mark.parametrize("check", COUPLING_CHECKS)
@pytest.mark.parametrize(
    "make",
    [
        pytest.param(partial(by_config, eta_max=0.06), id="exact"),
        pytest.param(partial(by_config, eta_max=0.75, level="step"), id="clamped"),
        pytest.param(watchful, id="whole game"),
    ],
)
def test_it_keeps_the_rules(make: Any, check: str) -> None:
    COUPLING_CHECKS[check](CouplingCase(make))


def policies(seed: int, agents: int, actions: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    scores = torch.randn(agents, actions, generator=generator, dtype=torch.float64)
    return scores.softmax(-1).unsqueeze(0)


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    eta=st.floats(0, 0.95),
    teams=st.permutations([0, 0, 1, 1]),
)
def test_the_law_of_all_joint_actions_is_that_of_two_coins(
    seed: int, eta: float, teams: list[int]
) -> None:
    """Written out: P(u) = prod over teams of eta prod_i 1[u_i greedy] + (1 - eta) prod_i pi'_i."""
    own = policies(seed, 4, 2)
    coupling = PerTeam.over(
        PolicyResonance(eta_max=eta, p_min=0.05, ramp_episodes=0), teams
    )
    weights = coupling.weights(NOW)
    law = coupling.law(own, weights, LATE)
    joint = torch.cartesian_prod(*[torch.arange(2)] * 4)
    found = torch.zeros(len(joint), dtype=torch.float64)
    for index in range(4):
        component = torch.full((len(joint),), index)
        repeated = coupling.law(own.expand(len(joint), 4, 2), weights, LATE)
        given_it = repeated.log_probability(joint, component).exp()
        found += weights[index].double() * given_it
    exact = torch.tensor(eta, dtype=torch.float32).double()
    apart = corrected_policy(own, exact, 0.05)[0].gather(-1, joint.T).T
    together = greedy_policies(own)[0].gather(-1, joint.T).T
    expected = torch.ones(len(joint), dtype=torch.float64)
    for team in (0, 1):
        members = torch.tensor(teams) == team
        coin = exact * together[:, members].prod(-1)
        expected *= coin + (1 - exact) * apart[:, members].prod(-1)
    assert torch.allclose(found, expected, atol=1e-6)
    assert law.weights.sum().item() == pytest.approx(1)


def test_teams_draw_independently() -> None:
    """Frequencies of the drawn components of many games, by team and together."""
    coupling = by_config(SPEC, eta_max=0.4)
    weights = coupling.weights(NOW)
    drawn = draw_components(weights, 40_000, torch.Generator().manual_seed(0))
    first, second = drawn // 2, drawn % 2
    assert coupling.component_names[2] == "in resonance + not in resonance"
    for team in (first, second):
        assert abs(team.double().mean().item() - 0.4) < 0.01
    assert abs((first * second).double().mean().item() - 0.16) < 0.01


def test_each_team_is_greedy_with_its_own_coin_alone() -> None:
    """In the component (in resonance, not): team 0 acts greedily, team 1 by Eq. 18."""
    own = policies(3, 4, 3)
    coupling = by_config(SPEC, eta_max=0.5)
    weights = coupling.weights(NOW)
    components = coupling.law(own, weights, LATE).components  # type: ignore[attr-defined]
    greedy, apart = (
        greedy_policies(own),
        corrected_policy(own, weights[2] + weights[3], 0.05),
    )
    of_first = torch.tensor([True, False, False, True]).view(1, 4, 1)
    assert torch.equal(components[2], torch.where(of_first, greedy, apart))
    assert torch.equal(components[1], torch.where(of_first, apart, greedy))


def test_one_team_is_the_coupling_itself() -> None:
    own = policies(5, 4, 3)
    inner = PolicyResonance(eta_max=0.5, p_min=0.05, ramp_episodes=0)
    coupling = PerTeam.over(inner, [0] * 4)
    weights = coupling.weights(NOW)
    assert torch.equal(weights, inner.weights(NOW))
    law, alone = (one.law(own, weights, LATE) for one in (coupling, inner))
    assert torch.equal(law.components, alone.components)
    assert coupling.component_names == inner.component_names
    assert PerTeam.over(Greedy(), [0, 1]).component_names == ()


def test_it_takes_what_its_coupling_asks_for() -> None:
    described = {"coupling": {**RESONANCE, "variant": "pr_fast", "heads": "tree"}}
    config = PerTeamConfig.model_validate(described)
    assert config.needs.own_heads
    assert config.needs.head_groups
    coupling = PerTeam(config, SPEC)
    assert coupling.needs == config.needs
    assert coupling.head_groups(4, Progress()) == (0, 0, 0, 0)
    assert coupling.holds == "episode"
    assert by_config(SPEC, level="step").holds == "step"


@pytest.mark.parametrize(
    ("spec", "teams", "told"),
    [
        (
            replace(SPEC, teams=None),
            None,
            "the environment has one team alone; 'teams'",
        ),
        (SPEC, [0, 1], "teams are given for 2 agents, and there are 4"),
        (SPEC, [0, 0, 2, 2], "nobody is of team 1"),
        (
            replace(SPEC, agents=9),
            list(range(9)),
            "2 components for each of 9 teams are 512 together, and 256 is most",
        ),
    ],
)
def test_mistakes_are_one_line(spec: EnvironmentSpec, teams: Any, told: str) -> None:
    config = PerTeamConfig.model_validate({"coupling": RESONANCE, "teams": teams})
    with pytest.raises(UserError) as caught:
        PerTeam(config, spec)
    assert str(caught.value).startswith(f"per_team: {told}")
    assert "\n" not in str(caught.value)


def test_what_teams_cannot_have_apart_is_refused() -> None:
    with pytest.raises(UserError, match="'SharedLatent' has components with scores"):
        PerTeam.over(SharedLatent(), [0, 1])
    inner = {**RESONANCE, "individual": {"name": "entropy_sampling"}}
    with pytest.raises(ValueError, match="'individual' stands beside 'coupling'"):
        PerTeamConfig.model_validate({"coupling": inner})
