"""Policy resonance without the framework: Eq. 16, shapes, precision, and what is refused."""

from __future__ import annotations

import importlib
import subprocess
import sys
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.distributions import Categorical, Distribution, kl_divergence

from marl_core.joint_policy import draw_components, greedy_actions
from marl_core.testing.checking import counts_agree
from marl_core.testing.strategies import policies
from marl_pr import ResonantCategorical
from marl_pr.given_policies import ArgumentError
from marl_pr.resonance import (
    clamp_acts,
    corrected_policy,
    draw_coin,
    resonant_components,
    resonate,
)
from tests.support.places import REPOSITORY

ETAS, P_MINS = st.floats(0, 1), st.floats(0, 0.5)
SHAPES = st.lists(st.integers(1, 4), min_size=0, max_size=2).map(tuple)
SEEDS = st.integers(0, 2**31)
HALVES = st.sampled_from([torch.bfloat16, torch.float16])
LOGITS = torch.randn(2, 3, 4, generator=torch.Generator().manual_seed(0))
#: Single precision: see test_resonance.py.
SINGLE = 2e-6


def _logits(shape: tuple[int, ...], seed: int) -> Tensor:
    return 3 * torch.randn(shape, generator=torch.Generator().manual_seed(seed))


# The law


@given(policies(), ETAS, P_MINS)
def test_its_marginals_are_the_individual_policies(
    individual: Tensor, eta: float, p_min: float
) -> None:
    """Eq. 16, off the clamp; and at eta = 1 everybody is greedy."""
    team = ResonantCategorical(individual, eta=eta, p_min=p_min)
    marginal = team.law.marginal()
    kept = ~clamp_acts(individual, eta, p_min)
    assert torch.allclose(marginal[kept], team.probs[kept], rtol=0, atol=SINGLE)
    if eta == 1:
        assert torch.equal(marginal.argmax(-1), team.mode)
        assert (marginal.amax(-1) == 1).all()


@given(policies(), P_MINS, SEEDS)
def test_at_eta_1_the_law_is_defined_and_greedy(
    individual: Tensor, p_min: float, seed: int
) -> None:
    law = resonate(individual, 1.0, p_min)
    assert law.components.isfinite().all()
    assert torch.allclose(law.components.sum(-1), torch.ones(()), atol=1e-5)
    generator = torch.Generator().manual_seed(seed)
    team = ResonantCategorical(individual, eta=1.0, p_min=p_min, generator=generator)
    assert (team.sample((5,)) == team.mode).all()
    assert torch.equal(clamp_acts(individual, 1.0, p_min), individual.amax(-1) < 1)


@given(policies(), P_MINS)
def test_at_eta_0_it_is_a_categorical(individual: Tensor, p_min: float) -> None:
    team = ResonantCategorical(individual, eta=0, p_min=p_min)
    alone = Categorical(individual)
    assert torch.equal(team.law.marginal(), alone.probs)
    assert torch.equal(team.entropy(), alone.entropy())
    assert torch.equal(team.mode, alone.mode)
    assert torch.equal(team.deterministic_sample, alone.mode)


@given(policies(), ETAS, P_MINS, SEEDS)
def test_what_is_learnt_by_is_the_individual_policy(
    individual: Tensor, eta: float, p_min: float, seed: int
) -> None:
    """Log-probability, entropy and divergence know nothing of the coin."""
    generator = torch.Generator().manual_seed(seed)
    team = ResonantCategorical(individual, eta=eta, p_min=p_min, generator=generator)
    alone = Categorical(individual)
    actions = team.sample()
    chosen = team.probs.gather(-1, actions.unsqueeze(-1)).squeeze(-1)
    assert (chosen > 0).all()
    assert torch.equal(team.log_prob(actions), alone.log_prob(actions))
    assert torch.allclose(team.log_prob(actions).exp(), chosen, rtol=1e-4)
    assert torch.equal(team.entropy(), alone.entropy())
    assert float(kl_divergence(team, alone).abs().max()) < 1e-5


@pytest.mark.parametrize("eta", [0.0, 0.4, 1.0])
def test_how_often_the_whole_team_is_greedy(eta: float) -> None:
    """Six agents with pi* = 0.7: alone together 0.7^6 = 0.12 of the time, in resonance >= eta."""
    games = 20_000
    row = torch.tensor([0.2, 0.7, 0.1], dtype=torch.float64)
    generator = torch.Generator().manual_seed(1)
    team = ResonantCategorical(
        row.expand(6, 3), eta=eta, p_min=0.1, generator=generator
    )
    actions = team.sample((games,))
    expected = eta + (1 - eta) * (max(0.1, (0.7 - eta) / (1 - eta or 1))) ** 6
    together = int((actions == 1).all(-1).sum())
    wanted = [games * (1 - expected), games * expected]
    assert counts_agree([games - together, together], wanted)
    if eta < 1:
        counts = torch.bincount(actions[:, 0], minlength=3).tolist()
        assert counts_agree(counts, [games * p for p in row.tolist()])


def test_a_coin_that_is_given_holds() -> None:
    coin = torch.tensor([True, False, True])
    logits = torch.zeros(3, 8, 4)
    team = ResonantCategorical(logits=logits, eta=0.9, p_min=0.1, coin=coin)
    greedy = (team.sample((400,)) == team.mode).all(-1)
    assert greedy.all(0).tolist() == coin.tolist()
    whole = ResonantCategorical(logits=logits, eta=0.9, p_min=0.1, coin=coin.long())
    assert whole.coin is not None
    assert torch.equal(whole.coin, coin)
    more = team.expand((400, 3, 8))
    greedy = (more.sample() == more.mode).all(-1)
    assert greedy.all(0).tolist() == coin.tolist()


def test_without_a_coin_every_sample_and_every_game_tosses_its_own() -> None:
    generator = torch.Generator().manual_seed(3)
    team = ResonantCategorical(
        logits=torch.zeros(2, 12, 4), eta=0.5, p_min=0.1, generator=generator
    )
    both = (team.sample((4000,)) == team.mode).all(-1)
    course = both[:, 0] * 2 + both[:, 1]
    assert counts_agree(torch.bincount(course, minlength=4).tolist(), [1000.0] * 4)


@given(SHAPES, st.integers(1, 5), st.integers(1, 4), SEEDS)
def test_a_resonance_probability_for_each_game(
    games: tuple[int, ...], agents: int, actions: int, seed: int
) -> None:
    """The law of each game is the one that it has with its own eta alone."""
    individual = _logits((*games, agents, actions), seed).double().softmax(-1)
    eta = torch.rand(games, generator=torch.Generator().manual_seed(seed)).double()
    law = resonate(individual, eta, 0.1)
    rows = individual.flatten(0, -3) if games else individual.unsqueeze(0)
    alone = [
        resonate(row, float(one), 0.1).marginal()
        for row, one in zip(rows, eta.flatten(), strict=True)
    ]
    assert law.weights.shape == (*games, 2)
    assert torch.allclose(law.marginal(), torch.stack(alone).view(individual.shape))
    kept = clamp_acts(individual, eta, 0.1)
    assert kept.shape == (*games, agents)
    team = ResonantCategorical(individual, eta=eta, p_min=0.1)
    assert team.expand((3, *games, agents)).sample().shape == (3, *games, agents)


# Shapes and types


@given(SHAPES, st.integers(1, 5), st.integers(1, 4), SHAPES, st.booleans(), SEEDS)
def test_shapes(
    games: tuple[int, ...],
    agents: int,
    actions: int,
    samples: tuple[int, ...],
    held: bool,
    seed: int,
) -> None:
    logits = _logits((*games, agents, actions), seed)
    coin = draw_coin(0.5, games) if held else None
    team = ResonantCategorical(logits=logits, eta=0.5, p_min=0.1, coin=coin)
    drawn = team.sample(samples)
    assert team.batch_shape == (*games, agents)
    assert drawn.shape == (*samples, *games, agents)
    assert drawn.dtype == torch.int64
    assert team.log_prob(drawn).shape == drawn.shape
    assert team.entropy().shape == team.mode.shape == (*games, agents)
    more = team.expand((2, *games, agents))
    assert isinstance(more, ResonantCategorical)
    assert more.sample(samples).shape == (*samples, 2, *games, agents)
    one = drawn[(0,) * len(samples)]
    assert torch.equal(more.log_prob(one)[1], team.log_prob(one))


@given(HALVES, st.integers(2, 40), ETAS, SEEDS)
def test_half_precision_is_answered_in_single(
    dtype: torch.dtype, actions: int, eta: float, seed: int
) -> None:
    logits = _logits((2, 3, actions), seed).to(dtype)
    team = ResonantCategorical(logits=logits, eta=eta, p_min=0.0)
    single = logits.float().softmax(-1)
    assert team.probs.dtype == torch.float32
    assert torch.allclose(team.probs, single, atol=SINGLE)
    rough = single.to(dtype)
    law = resonate(rough, eta, 0.0)
    kept = ~clamp_acts(rough, eta, 0.0)
    assert law.individual.dtype == torch.float32
    assert torch.allclose(law.individual, single, atol=2e-2)
    assert torch.allclose(law.marginal()[kept], law.individual[kept], atol=SINGLE)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_single_and_double_stay_what_they_are(dtype: torch.dtype) -> None:
    team = ResonantCategorical(logits=LOGITS.to(dtype), eta=0.5, p_min=0.1)
    actions = team.sample()
    assert team.log_prob(actions).dtype == team.law.marginal().dtype == dtype


def test_a_number_and_a_tensor_are_the_same_eta() -> None:
    individual = LOGITS.softmax(-1)
    of_number = corrected_policy(individual, 0.3, 0.1)
    assert torch.equal(of_number, corrected_policy(individual, torch.tensor(0.3), 0.1))
    assert torch.equal(
        resonate(individual, 0, 0.1).components[0], individual
    )  # an int, too


def test_without_a_generator_torchs_own_is_used() -> None:
    law = resonate(LOGITS.softmax(-1), 0.5, 0.1)
    drawn = []
    for seed in (0, 0, 1):
        torch.manual_seed(seed)
        component = draw_components(law.weights, 2, None)
        drawn.append((component, law.sampler().draw(component, None)))
        drawn.append((draw_coin(0.5, 64), drawn[-1][1]))
    assert all(
        torch.equal(a, b)
        for one, two in zip(drawn[:2], drawn[2:4], strict=True)
        for a, b in zip(one, two, strict=True)
    )
    assert not torch.equal(drawn[1][0], drawn[5][0])


def test_gradients_are_the_individual_policies() -> None:
    logits = LOGITS.clone().requires_grad_()
    team = ResonantCategorical(logits=logits, eta=0.5, p_min=0.1)
    actions = team.sample()
    (found,) = torch.autograd.grad(team.log_prob(actions).sum(), logits)
    chosen = torch.nn.functional.one_hot(actions, 4)
    assert torch.allclose(found, chosen - LOGITS.softmax(-1), atol=SINGLE)
    assert greedy_actions(LOGITS).equal(team.mode)


# What is refused


@given(SEEDS, st.sampled_from([torch.float32, torch.float64, torch.bfloat16]))
def test_logits_in_place_of_probabilities_are_refused_in_one_line(
    seed: int, dtype: torch.dtype
) -> None:
    """Also logits that are positive, and logarithms of probabilities."""
    logits = _logits((2, 3, 4), seed).to(dtype)
    sums_to_1 = torch.tensor([[1.5, -0.5]], dtype=dtype)
    for wrong in (logits, logits.abs() + 1, logits.log_softmax(-1), sums_to_1):
        for function in (resonate, corrected_policy, resonant_components, clamp_acts):
            with pytest.raises(ArgumentError, match=r"logits.softmax\(-1\)") as caught:
                function(wrong, 0.5, 0.1)
            assert "\n" not in str(caught.value)
        with pytest.raises(ArgumentError, match=r"logits.softmax\(-1\)"):
            ResonantCategorical(wrong, eta=0.5, p_min=0.1)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"eta": 1.5}, "eta is a probability"),
        ({"eta": -0.1}, "eta is a probability"),
        ({"eta": float("nan")}, "eta is a probability"),
        (
            {"eta": torch.rand(3)},
            r"one for each game of shape \[2\], not of shape \[3\]",
        ),
        ({"p_min": 1.0}, "p_min is in"),
        ({"coin": torch.ones(2, 3)}, r"share one coin: .* \[2\], not \[2, 3\]"),
        ({"logits": None}, "probs or logits"),
        ({"probs": LOGITS.softmax(-1)}, "probs or logits"),
        ({"logits": torch.zeros(3)}, "axes"),
        ({"logits": LOGITS * float("nan")}, "logits"),
        ({"logits": None, "probs": LOGITS.long()}, "not torch.int64"),
    ],
)
@pytest.mark.parametrize("torch_validates", [True, False])
def test_wrong_arguments(
    wrong: dict[str, Any], said: str, torch_validates: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where torch's compiler was imported before, which turns off what torch looks at."""
    monkeypatch.setattr(Distribution, "_validate_args", torch_validates)
    with pytest.raises(ValueError, match=said):
        ResonantCategorical(**{"logits": LOGITS, "eta": 0.5, "p_min": 0.1, **wrong})


def test_nothing_is_looked_at_where_that_is_not_wanted() -> None:
    made = ResonantCategorical(LOGITS.abs(), eta=0.5, p_min=0.1, validate_args=False)
    assert made.batch_shape == (2, 3)
    assert resonate(LOGITS, 0.5, 0.1, validate=False).individual is LOGITS


def test_a_coin_for_other_games_is_refused() -> None:
    with pytest.raises(ArgumentError, match=r"eta of shape \[3\]"):
        draw_coin(torch.rand(3), games=4)


# Outside


#: A program that can import torch and nothing else of what the framework needs.
_ALONE = """
import sys
blocked = {
    "lightning", "pytorch_lightning", "pydantic", "typer", "rich", "matplotlib", "jaxtyping",
    "beartype", "numpy", "ruamel", "tensorboard", "hypothesis", "marl_envs",
}
class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in blocked:
            raise ModuleNotFoundError(f"No module named '{name}'", name=name)
sys.meta_path.insert(0, Blocked())
import torch
import marl_pr
from marl_pr import ResonantCategorical, draw_coin, resonate
from marl_pr.schedule import resonance_probability
team = ResonantCategorical(logits=torch.randn(5, 4, 3), eta=0.5, p_min=0.1)
print(team.log_prob(team.sample()).shape, draw_coin(0.5, 5).shape)
assert marl_pr.resonate is resonate
assert torch.allclose(team.law.marginal().sum(-1), torch.ones(()))
"""


def test_torch_alone_is_needed() -> None:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", _ALONE],
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "torch.Size([5, 4]) torch.Size([5])\n"


def test_marl_says_in_a_line_that_the_rest_is_missing() -> None:
    blocked = _ALONE.partition("import torch")[0]
    program = blocked + "from marl_core.cli import main\nmain()"
    done = subprocess.run(
        [sys.executable, "-c", program, "list"],
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.returncode == 2
    assert done.stderr.startswith("marl: ")
    assert "is not installed; `pip install policy-resonance`" in done.stderr
    assert done.stderr.count("\n") == 1


def test_the_plain_loop_falls_into_the_trap_and_resonance_takes_it_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.syspath_prepend(str(REPOSITORY / "examples"))
    example = importlib.import_module("resonance_in_plain_pytorch")
    assert example.train(eta_max=0.0) == 0.0
    assert example.train(eta_max=0.75) == pytest.approx(29 / 30)


def test_it_stands_in_an_actor_of_torchrl() -> None:
    torchrl = pytest.importorskip("torchrl.modules")
    tensordict = pytest.importorskip("tensordict")
    policy = tensordict.nn.TensorDictModule(
        torch.nn.Linear(6, 4), in_keys=["observation"], out_keys=["logits"]
    )
    actor = torchrl.ProbabilisticActor(
        policy,
        in_keys=["logits", "coin"],
        distribution_class=ResonantCategorical,
        distribution_kwargs={"eta": 0.5, "p_min": 0.1},
        return_log_prob=True,
    )
    coin = torch.tensor([True, False, True, False, True])
    seen = {"observation": torch.randn(5, 8, 6), "coin": coin}
    games = actor(tensordict.TensorDict(seen, batch_size=[5]))
    alone = Categorical(logits=games["logits"])
    name = "action_log_prob" if "action_log_prob" in games else "sample_log_prob"
    assert games["action"].shape == games[name].shape == (5, 8)
    assert torch.equal(games["action"][coin], alone.mode[coin])
    assert torch.allclose(games[name], alone.log_prob(games["action"]))
    nn = tensordict.nn
    with nn.set_interaction_type(nn.InteractionType.DETERMINISTIC):
        assert torch.equal(actor(games.clone())["action"], alone.mode)
