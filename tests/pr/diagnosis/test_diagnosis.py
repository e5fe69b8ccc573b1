"""Teams that have the problem, and teams that do not, against the closed form of FME."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from marl_core import train
from marl_core.construction import build_environment
from marl_core.run_state import RunState
from marl_core.runs.assembly import newest_state
from marl_core.runs.folder import RunFolder
from marl_envs.fme import FME
from marl_pr.diagnosis.diagnosis import Diagnosis, diagnose
from marl_pr.diagnosis.exact import ExactSignals, exact_signals
from marl_pr.diagnosis.sentence import remark, sentence
from tests.support.fixed_team import fixed_team, towards

ACTIONS = 10


def environment_of(state: RunState) -> FME:
    made = build_environment(
        state.config.environment, games=1, device="cpu", generator=torch.Generator()
    )
    assert isinstance(made, FME)
    return made


def gamma(agents: int, leavers: int) -> Tensor:
    """One Lv-C: all agents go for u_gamma, but for the first ones."""
    action = torch.zeros(1, agents, dtype=torch.int64)
    action[:, :leavers] = 1
    return action


def lv_c_team(
    agents: int, leavers: int, probability: float, seed: int = 0, actions: int = ACTIONS
) -> RunState:
    policies = towards(gamma(agents, leavers), probability, actions)
    return fixed_team(policies, "0A0B1C", seed)


def exact_of(state: RunState) -> ExactSignals:
    environment = environment_of(state)
    scores, _ = state.host.scores(environment.distinct_observations, {})
    return exact_signals(environment, scores.exp())


CASES = {
    "trapped": (lv_c_team(15, 0, 0.66), "problem"),
    "drowned": (lv_c_team(40, 0, 0.909), "problem"),
    "small": (lv_c_team(3, 0, 0.9), "none"),
    "negotiated": (lv_c_team(5, 1, 0.7), "none"),
    "talked out of it": (lv_c_team(15, 1, 0.75, actions=2), "none"),
    "no trap": (
        fixed_team(
            towards(torch.zeros(1, 15, dtype=torch.int64), 0.7, ACTIONS), "1A0B0C"
        ),
        "none",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_verdicts_are_those_of_the_closed_form(case: str) -> None:
    state, answer = CASES[case]
    found = diagnose(state, 3000)
    exact = exact_of(state)
    assert found.verdict.answer == answer, sentence(found)
    lost = exact.lost(found.worth)
    assert bool(lost.any()) == (answer == "problem")
    assert not (found.verdict.lost & ~lost).any()
    said = remark(found)
    assert (said is not None) == (case == "talked out of it")
    if case == "trapped":
        assert found.verdict.lost.all()
        assert found.verdict.heard.all(), "resonance tells them"


@pytest.mark.parametrize("case", CASES)
def test_signals_are_those_of_the_closed_form(case: str) -> None:
    state, _ = CASES[case]
    found = diagnose(state, 3000)
    exact = exact_of(state)
    pairs = (
        (found.signals.alone, exact.alone),
        (found.signals.independent, exact.independent),
    )
    for signal, value in pairs:
        assert signal.error.isfinite().all()
        off = (signal.mean - value).abs()
        assert (off <= 4.5 * signal.error + 1e-6).all()


def test_too_few_games_tell_nothing() -> None:
    found = diagnose(lv_c_team(15, 0, 0.66), 40)
    assert found.verdict.answer == "unknown"
    assert found.verdict.episodes > 40
    assert "cannot be told from 40 episodes" in sentence(found)


def test_equal_seeds_say_the_same_and_others_do_not() -> None:
    def signal(seed: int) -> Tensor:
        return diagnose(lv_c_team(5, 0, 0.66, seed), 200).signals.independent.mean

    assert torch.equal(signal(0), signal(0))
    assert not torch.equal(signal(0), signal(1))


def trained(tmp_path: Any, config: str, settings: dict[str, Any]) -> Diagnosis:
    train(config, set=settings, out=tmp_path / "run", progress=False)
    return diagnose(newest_state(RunFolder(tmp_path / "run", trust=True)))


@pytest.mark.slow
def test_a_trained_team_has_the_problem_and_resonance_takes_it(tmp_path: Any) -> None:
    plain = {"environment.agents": 15, "stages.0.episodes": 32768}
    found = trained(tmp_path / "a", "examples/fme_ppo_ma.yaml", plain)
    assert found.verdict.answer == "problem"
    resonant = plain | {"stages.1.episodes": 98304}
    found = trained(tmp_path / "b", "examples/fme_pr.yaml", resonant)
    assert found.verdict.answer == "none"
