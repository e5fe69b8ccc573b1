"""The law of a team's joint action and its sampling."""

from __future__ import annotations

from collections.abc import Iterator

import jaxtyping
import pytest
import torch
from hypothesis import given
from torch import Tensor

from marl_core import joint_policy
from marl_core.joint_policy import JointPolicy, certain, draw_components, greedy_actions
from marl_core.sequential_policy import SequentialPolicy
from marl_core.testing.checking import counts_agree
from marl_core.testing.strategies import policies, seeds

#: The greatest number that ``uniform`` can give in single precision.
ALMOST_ONE = 1 - 2**-24


def _generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_shapes_are_checked_in_these_tests() -> None:
    with pytest.raises(jaxtyping.TypeCheckError):
        JointPolicy(torch.zeros(3, 2), torch.zeros(2, 3, 2), torch.zeros(3))


@pytest.mark.parametrize("number", [0.0, ALMOST_ONE])
@given(policy=policies())
def test_what_has_probability_zero_is_never_drawn(
    number: float, policy: Tensor
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            joint_policy, "uniform", lambda shape, *_: torch.full(shape, number)
        )
        games = torch.zeros(policy.shape[0], dtype=torch.int64)
        actions = JointPolicy.independent(policy).sampler().draw(games, _generator())
    assert (policy.gather(-1, actions.unsqueeze(-1)) > 0).all()


@given(policy=policies(), seed=seeds())
def test_a_deterministic_policy_is_followed(policy: Tensor, seed: int) -> None:
    greedy = greedy_actions(policy)
    joint = JointPolicy.deterministic(greedy, policy.shape[-1])
    component = torch.zeros(policy.shape[0], dtype=torch.int64)
    assert torch.equal(joint.sampler().draw(component, _generator(seed)), greedy)


def test_components_and_rows_are_told_apart() -> None:
    """Every (component, row, agent) has its own action, and it is drawn where it should be."""
    components, rows, agents = 3, 4, 5
    own = torch.arange(components * rows * agents).view(components, rows, agents)
    certain = torch.nn.functional.one_hot(own).float()
    joint = JointPolicy(certain[0], certain, torch.full((components,), 1 / components))
    component = torch.tensor([2, 0, 1, 1])
    assert torch.equal(
        joint.sampler().draw(component, _generator()),
        own[component, torch.arange(rows)],
    )
    component = torch.tensor([2, 0, 1, 1, 0, 2])
    row = torch.randint(rows, (6, agents), generator=_generator())
    drawn = joint.sampler().draw(component, _generator(), row)
    assert torch.equal(drawn, own[component.unsqueeze(-1), row, torch.arange(agents)])


def test_agents_draw_independently() -> None:
    policy = torch.tensor([[[0.5, 0.25, 0.25], [0.1, 0.0, 0.9]]]).expand(50_000, -1, -1)
    component = torch.zeros(50_000, dtype=torch.int64)
    actions = JointPolicy.independent(policy).sampler().draw(component, _generator())
    observed = torch.bincount(actions[:, 0] * 3 + actions[:, 1], minlength=9)
    expected = 50_000 * policy[0, 0].outer(policy[0, 1]).flatten()
    assert counts_agree(observed.tolist(), expected.tolist())


def test_counts_that_do_not_agree() -> None:
    assert counts_agree([1010, 990], [1000, 1000])
    assert not counts_agree([1300, 700], [1000, 1000])
    assert not counts_agree([999, 1], [1000, 0])
    assert not counts_agree([900, 50, 50], [998, 1, 1])


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_coin(dtype: torch.dtype) -> None:
    coins = draw_components(
        torch.tensor([0.3, 0.2, 0.5], dtype=dtype), 50_000, _generator()
    )
    assert counts_agree(
        torch.bincount(coins, minlength=3).tolist(), [15_000, 10_000, 25_000]
    )


@pytest.mark.parametrize("number", [0.0, 0.5, ALMOST_ONE])
@pytest.mark.parametrize("sure", [0, 1, 2])
def test_components_without_weight_are_never_drawn(
    number: float, sure: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        joint_policy, "uniform", lambda shape, *_: torch.full(shape, number)
    )
    weights = torch.nn.functional.one_hot(torch.tensor(sure), 3).float()
    assert (draw_components(weights, 4, _generator()) == sure).all()


def test_rounding_of_weights_draws_nothing_without_weight(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(
        joint_policy, "uniform", lambda shape, *_: torch.full(shape, ALMOST_ONE)
    )
    weights = torch.tensor([0.5, 0.5 - 1e-6, 0.0])
    assert (draw_components(weights, 4, _generator()) == 1).all()


def test_marginal() -> None:
    components = torch.tensor([[[0.4, 0.6]], [[1.0, 0.0]]], dtype=torch.float64)
    joint = JointPolicy(components[0], components, torch.tensor([0.75, 0.25]))
    assert joint.marginal().tolist() == [[pytest.approx(0.55), pytest.approx(0.45)]]


def test_of_equal_actions_the_first_is_greedy() -> None:
    assert greedy_actions(
        torch.tensor([[0.2, 0.4, 0.4], [0.5, 0.5, 0.0]])
    ).tolist() == [1, 0]


@pytest.fixture
def half_precision() -> Iterator[None]:
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.bfloat16)
    yield
    torch.set_default_dtype(before)


def test_draws_are_fine_in_half_precision_too(half_precision: None) -> None:
    """Half precision has 256 numbers in [0, 1): too few for an action that is taken once in 500."""
    rare = 0.002
    law = torch.tensor([[1 - 2 * rare, rare, rare]], dtype=torch.float32)
    rows = torch.zeros(500_000, 1, dtype=torch.int64)
    component = torch.zeros(500_000, dtype=torch.int64)
    drawn = JointPolicy.independent(law).sampler().draw(component, _generator(), rows)
    seen = torch.bincount(drawn.flatten(), minlength=3)
    expected = 500_000 * law[0]
    assert counts_agree(seen.tolist(), expected.tolist())


def test_a_law_in_half_precision_never_draws_beyond_the_last_action(
    half_precision: None,
) -> None:
    law = torch.full((1, 7), 1 / 7)
    assert law.dtype == torch.bfloat16
    rows = torch.zeros(100_000, 1, dtype=torch.int64)
    component = torch.zeros(100_000, dtype=torch.int64)
    drawn = JointPolicy.independent(law).sampler().draw(component, _generator(), rows)
    assert int(drawn.max()) == 6
    drawn = draw_components(torch.tensor([0.5, 0.5]), 100_000, _generator())
    assert drawn.unique().tolist() == [0, 1]


# Games that differ, and agents in turn


def test_each_game_draws_by_its_own_weights() -> None:
    weights = torch.tensor([[0.9, 0.1], [0.2, 0.8], [0.0, 1.0]])
    rows = torch.arange(3).repeat(20_000)
    drawn = draw_components(weights[rows], len(rows), _generator())
    for game, expected in enumerate(weights):
        counts = torch.bincount(drawn[rows == game], minlength=2)
        assert counts_agree(counts.tolist(), (20_000 * expected).tolist())


def test_marginals_of_games_with_weights_of_their_own() -> None:
    components = torch.tensor(
        [[[[1.0, 0.0]], [[0.5, 0.5]]], [[[0.0, 1.0]], [[0.25, 0.75]]]]
    )
    weights = torch.tensor([[0.75, 0.25], [0.0, 1.0]])
    joint = JointPolicy(components[0], components, weights)
    assert joint.marginal().tolist() == [[[0.75, 0.25]], [[0.25, 0.75]]]


@given(policy=policies())
def test_probabilities_of_joint_actions_are_products(policy: Tensor) -> None:
    """Each agent draws by itself, given the component."""
    components = torch.stack([policy, policy.flip(-1)])
    joint = JointPolicy(policy, components, torch.tensor([0.5, 0.5]))
    actions = greedy_actions(policy)
    for index in (0, 1):
        which = torch.full((len(policy),), index)
        chosen = components[index].gather(-1, actions.unsqueeze(-1)).squeeze(-1)
        found = joint.log_probability(actions, which)
        assert torch.allclose(found, chosen.log().sum(-1))


def _in_turn(games: int) -> SequentialPolicy:
    """The second agent does what the first does; in component 1 it does the opposite."""
    policies = torch.tensor([[0.25, 0.75], [0.25, 0.75]]).expand(games, 2, 2)

    def conditional(agent: int, actions: Tensor, component: Tensor) -> Tensor:
        if agent == 0:
            return policies[:, 0]
        return certain((actions[:, 0] + component) % 2, 2)

    return SequentialPolicy(policies, torch.tensor([0.5, 0.5]), conditional)


def test_agents_in_turn() -> None:
    law = _in_turn(40_000)
    component = torch.arange(40_000) % 2
    actions = law.sampler().draw(component, _generator())
    assert torch.equal(actions[:, 1], (actions[:, 0] + component) % 2)
    counts = torch.bincount(actions[:, 0], minlength=2)
    assert counts_agree(counts.tolist(), [10_000, 30_000])


def test_probabilities_of_agents_in_turn() -> None:
    law = _in_turn(4)
    actions = torch.tensor([[0, 0], [0, 1], [1, 0], [1, 1]])
    alike = law.log_probability(actions, torch.zeros(4, dtype=torch.int64)).exp()
    assert alike.tolist() == pytest.approx([0.25, 0, 0, 0.75])
    unlike = law.log_probability(actions, torch.ones(4, dtype=torch.int64)).exp()
    assert unlike.tolist() == pytest.approx([0, 0.25, 0.75, 0])


def test_a_law_of_agents_in_turn_is_no_table() -> None:
    component = torch.zeros(4, dtype=torch.int64)
    rows = torch.zeros(4, 2, dtype=torch.int64)
    with pytest.raises(ValueError, match="not in a table"):
        _in_turn(4).draw(component, _generator(), rows)


@pytest.mark.parametrize("number", [0.0, ALMOST_ONE])
def test_in_turn_what_has_probability_zero_is_never_drawn(
    number: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        joint_policy, "uniform", lambda shape, *_: torch.full(shape, number)
    )
    policies = torch.tensor([[0.0, 1.0, 0.0], [0.0, 0.5, 0.5], [0.5, 0.5, 0.0]])
    law = SequentialPolicy(
        policies.unsqueeze(0),
        torch.ones(1),
        lambda agent, actions, component: policies[agent].unsqueeze(0),
    )
    (actions,) = law.draw(torch.zeros(1, dtype=torch.int64), _generator())
    assert (policies.gather(-1, actions.unsqueeze(-1)) > 0).all()
