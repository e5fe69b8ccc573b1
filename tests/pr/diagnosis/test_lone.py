"""The probe of lone deviations: its law, and that games by it have no more than one deviator."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from marl_core.config.run import RunConfig
from marl_core.coupling.greedy import Greedy
from marl_core.joint_policy import JointPolicy, draw_components, greedy_actions
from marl_core.protocols import Coupling
from marl_core.runs.assembly import first_state
from marl_core.types import Moment, Progress
from marl_pr.diagnosis.games import play
from marl_pr.diagnosis.lone import LoneDeviation, LoneLaw, either
from tests.support.runs import run_data


@st.composite
def policies(draw: st.DrawFn) -> Tensor:
    """Individual policies, some of which never deviate."""
    games, agents, actions = draw(st.tuples(*[st.integers(1, 5)] * 3))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 10_000)))
    logits = torch.randn(games, agents, actions, generator=generator)
    certain = torch.rand(games, agents, 1, generator=generator) < 0.2
    return torch.where(certain, 1e4, 2.0).mul(logits).softmax(-1)


def law_of(individual: Tensor) -> LoneLaw:
    coupling = LoneDeviation(individual.shape[-2])
    progress = Progress()
    weights = coupling.weights(Moment(progress, torch.device("cpu")))
    return coupling.law(individual, weights, progress)


def mixture(law: LoneLaw) -> JointPolicy:
    """The same law with all its components written out."""
    greedy, deviating = either(law.individual)
    agents = greedy.shape[-2]
    turn = torch.eye(agents).view(agents, 1, agents, 1)
    lone = greedy + turn * (deviating - greedy)
    components = torch.cat([greedy.unsqueeze(0), lone])
    return JointPolicy(law.individual, components, law.weights)


@given(policies(), st.integers(0, 1000))
def test_the_law_is_the_mixture_of_its_components(
    individual: Tensor, seed: int
) -> None:
    law = law_of(individual)
    whole = mixture(law)
    assert law.weights.sum().item() == pytest.approx(1, abs=1e-6)
    torch.testing.assert_close(law.marginal(), whole.marginal())
    random = torch.Generator().manual_seed(seed)
    component = draw_components(law.weights, len(individual), random)
    actions = law.sampler().draw(component, random)
    said = law.log_probability(actions, component)
    torch.testing.assert_close(said, whole.log_probability(actions, component))
    assert said.isfinite().all(), "what was drawn has a probability"


@given(policies(), st.integers(0, 1000))
def test_the_one_whose_turn_it_is_deviates_and_no_other(
    individual: Tensor, seed: int
) -> None:
    law = law_of(individual)
    random = torch.Generator().manual_seed(seed)
    component = draw_components(law.weights, len(individual), random)
    deviates = law.sampler().draw(component, random) != greedy_actions(individual)
    agent = torch.arange(1, individual.shape[1] + 1)
    its_turn = component.unsqueeze(-1) == agent
    rest = 1 - individual.amax(-1)
    assert not (deviates & ~its_turn).any()
    assert deviates[its_turn & (rest > 1e-3)].all()


HOSTS = [
    {"host": {"name": "ppo_ma"}},
    {"host": {"name": "mappo", "hidden": 8, "body": "gru"}},
    {
        "host": {"name": "qmix", "body": "gru", "hidden": 8},
        "exploration": {"name": "epsilon_greedy"},
    },
]


@pytest.mark.parametrize("parts", HOSTS, ids=["table", "gru", "gru values"])
@pytest.mark.parametrize("coupling", [Greedy(), LoneDeviation(5)], ids=["none", "one"])
def test_greedy_actions_are_those_at_play(
    parts: dict[str, object], coupling: Coupling
) -> None:
    """Also where they depend on what a host remembers."""
    data = run_data() | parts | {"stages": [{"episodes": 16}]}
    state = first_state(RunConfig.model_validate(data))
    games = play(state, coupling, "test", 300, "cpu")
    counts = games.deviates.sum(-1)
    expected = (games.component > 0).int()
    assert torch.equal(counts.int(), expected)
    assert games.reward.shape == (3, 300), "more games than are played at once"
