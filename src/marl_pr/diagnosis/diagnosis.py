"""The whole diagnosis of a team."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from marl_core.coupling.greedy import Greedy
from marl_core.coupling.independent import Independent
from marl_core.errors import UserError
from marl_core.evaluation.statistics import Interval, mean_interval
from marl_core.protocols import Coupling
from marl_core.run_state import RunState
from marl_core.training.devices import on_its_device
from marl_core.types import EnvironmentSpec
from marl_pr.coupling import PolicyResonance
from marl_pr.diagnosis.deviators import Crowd, crowd_of, shares_of_counts
from marl_pr.diagnosis.games import Games, ToGo, play
from marl_pr.diagnosis.later import without_later_deviations
from marl_pr.diagnosis.lone import LoneDeviation
from marl_pr.diagnosis.signal import signal_of
from marl_pr.diagnosis.verdict import Signals, Verdict, least_worth, verdict_of

#: Into how many parts an episode without levels is divided.
_WINDOWS = 8
#: Games for each agent, if nothing else is said: enough for what is worth ``WORTH``.
_EACH = 2048
_MOST = 16_384
#: The probe of resonance is played with this probability, at every step.
PROBE_ETA = 0.5


@dataclass(frozen=True)
class Diagnosis:
    """What was found out about a team.

    Attributes:
        agents: N.
        actions: n_k.
        episodes: games in each of the four ways of play.
        windows: names of the parts of an episode.
        independent_counts: how often 0, 1, 2 ... agents deviate, exploring independently.
        resonant_counts: the same in resonance.
        crowd: how often an agent has the team to itself.
        signals: of each agent in each window.
        worth: in each window the least worth of a deviation that counts, in reward.
        greedy: the return of the greedy team.
        sampled: the return of the team that explores independently.
        gap: by how much the first is above the second.
        entropy: c_H, the individual policy's entropy coefficient.
        verdict: of all that.
    """

    agents: int
    actions: int
    episodes: int
    windows: tuple[str, ...]
    independent_counts: tuple[Interval, ...]
    resonant_counts: tuple[Interval, ...]
    crowd: Crowd
    signals: Signals
    worth: Float[Tensor, "W"]
    greedy: Interval
    sampled: Interval
    gap: Interval
    entropy: float
    verdict: Verdict

    @property
    def telling(self) -> int:
        """The index of the window that says most: most lost agents, or the greatest worth."""
        alone = self.signals.alone
        known = torch.where(alone.error.isfinite(), alone.mean, -torch.inf)
        lost = self.verdict.lost.sum(-1)
        best = known.amax(-1)
        order = sorted(range(len(lost)), key=lambda w: (int(lost[w]), float(best[w])))
        return order[-1]


def diagnose(
    state: RunState,
    episodes: int | None = None,
    discount: float = 0.99,
    horizon: int | None = None,
) -> Diagnosis:
    """Find out whether a team suffers from the diffusion of responsibility.

    Args:
        state: the team, as it is now. Nothing is learnt.
        episodes: how many games are played in each of four ways: greedily, by independent
            exploration, in resonance, and with lone deviations; None: 2,048 N, at most 16,384.
        discount: gamma of the rewards to go.
        horizon: how many steps of reward count as a deviation's; None: all to the end.

    Raises:
        UserError: actions are numbers in a box, several teams learn, there is one agent or one
            action alone, or a score of the host is not finite.
    """
    spec = state.spec
    check(spec, state.config.environment.name)
    device = on_its_device(state)
    number = episodes or min(_EACH * spec.agents, _MOST)
    couplings: dict[str, Coupling] = {
        "greedy": Greedy(),
        "independent": Independent(),
        "resonant": PolicyResonance(
            eta_max=PROBE_ETA,
            ramp_episodes=0,
            p_min=1 / spec.actions,
            level="step",
        ),
        "alone": LoneDeviation(spec.agents),
    }
    games: dict[str, Games] = {}
    for purpose, coupling in couplings.items():
        games[purpose] = play(state, coupling, purpose, number, device)
    return _of_games(
        state,
        games,
        ToGo(discount, horizon),
    )


def check(
    spec: EnvironmentSpec,
    name: str,
) -> None:
    """Refuse a task in which nobody can deviate from a team's greedy action.

    Args:
        spec: what the environment gives.
        name: the environment's.

    Raises:
        UserError: the task is such a one.
    """
    reason = ""
    if spec.box is not None:
        reason = "deviations are counted among discrete actions, and its are numbers"
    elif spec.teams is not None:
        reason = "one team is looked at, and there several learn"
    elif spec.agents < 2 or spec.actions < 2:
        reason = "at least two agents and two actions are needed"
    if reason:
        raise UserError(f"'{name}' cannot be diagnosed: {reason}", "environment")


def _of_games(
    state: RunState,
    games: dict[str, Games],
    to_go: ToGo,
) -> Diagnosis:
    spec = state.spec
    names = _window_names(spec, games.values())
    independent, resonant, lone = (
        games[purpose] for purpose in ("independent", "resonant", "alone")
    )
    windows = _windows(independent, names, spec)
    outcome = to_go.of(independent.reward)
    own = signal_of(independent, outcome, windows)
    in_resonance = signal_of(
        resonant,
        to_go.of(resonant.reward),
        _windows(resonant, names, spec),
    )
    lone_windows = _windows(lone, names, spec)
    lone_outcome = without_later_deviations(lone, to_go)
    alone = signal_of(lone, lone_outcome, lone_windows, lone.judged_alone)
    # What is small in the noise of either way of play is small.
    worth = torch.maximum(
        least_worth(independent, outcome, windows),
        least_worth(lone, lone_outcome, lone_windows),
    )
    signals = Signals(alone, own, in_resonance)
    greedy, sampled = games["greedy"].returns, independent.returns
    return Diagnosis(
        agents=spec.agents,
        actions=spec.actions,
        episodes=len(sampled),
        windows=tuple(names),
        independent_counts=shares_of_counts(independent),
        resonant_counts=shares_of_counts(games["resonant"]),
        crowd=crowd_of(independent, spec.actions),
        signals=signals,
        worth=worth,
        greedy=mean_interval(greedy),
        sampled=mean_interval(sampled),
        gap=_difference(mean_interval(greedy), mean_interval(sampled)),
        entropy=state.exploration.individual.entropy_coefficient(state.progress),
        verdict=verdict_of(signals, worth, len(sampled)),
    )


def _difference(
    one: Interval,
    other: Interval,
) -> Interval:
    """The difference of two independent means."""
    mean = one.mean - other.mean
    half = math.hypot(one.high - one.mean, other.high - other.mean)
    return Interval(
        mean,
        mean - half,
        mean + half,
    )


def _window_names(
    spec: EnvironmentSpec,
    games: Iterable[Games],
) -> dict[str, tuple[int, int]]:
    """The parts of an episode by their names, with the levels or steps that are theirs."""
    if spec.levels:
        return {level.name: (i, i + 1) for i, level in enumerate(spec.levels)}
    longest = max(len(one.valid) for one in games)
    number = min(longest, _WINDOWS)
    edges = [longest * part // number for part in range(number + 1)]
    names = {}
    for first, end in pairwise(edges):
        name = f"step {end}" if end - first == 1 else f"steps {first + 1}-{end}"
        names[name] = (first, end)
    return names


def _windows(
    games: Games,
    names: dict[str, tuple[int, int]],
    spec: EnvironmentSpec,
) -> Bool[Tensor, "W T E"]:
    """Which steps belong to each part of an episode."""
    valid = games.valid
    place = torch.arange(len(valid), device=valid.device).unsqueeze(-1)
    if spec.levels:
        assert games.level is not None, "an environment with levels says where it is"
        place = games.level
    return torch.stack(
        [valid & (place >= first) & (place < end) for first, end in names.values()]
    )
