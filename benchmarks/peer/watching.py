"""What is noted of a run on either side: test returns by one evaluator, and the time of training.

Time is read after each update. The first update is left out, because it warms up, and the last one,
because our framework evaluates within it. Tests are no part of it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final, final

import torch
from torch import Tensor

from marl_core.base_config import validate_strictly
from marl_core.config.run import RunConfig
from marl_core.construction import build_environment
from marl_core.types import Observation
from peer.settings import LAST_TEST_GAMES, TEST_GAMES, Comparison, OffPolicy

#: From what agents see, ``[E, N, O]``, to logits or action values, ``[E, N, A]``.
Scores = Callable[[Tensor], Tensor]
_SEED_OF_TESTS: Final = 7_000


@final
@dataclass
class Record:
    """What is known of a run.

    Attributes:
        frames: steps of games at each evaluation.
        greedy: the mean return of test games in which every agent takes its best action.
        sampled: the same where agents draw from their policies; of value-based algorithms, with the
            last epsilon.
        cpu: seconds of the processor that the timed updates took.
        wall: seconds by the clock.
        timed_frames: steps of games of the timed updates.
    """

    frames: list[int] = field(default_factory=list)
    greedy: list[float] = field(default_factory=list)
    sampled: list[float] = field(default_factory=list)
    cpu: float = 0.0
    wall: float = 0.0
    timed_frames: int = 0


@final
class Watch:
    """Is told of each update of a run.

    Args:
        comparison: what is run.
    """

    def __init__(self, comparison: Comparison) -> None:
        self.record = Record()
        self._comparison = comparison
        self._updates = 0
        self._since: tuple[float, float] | None = None

    def begin(self, scores: Scores) -> None:
        """Test the team before it has learnt.

        Args:
            scores: of the team.
        """
        self._test(scores)

    def updated(self, scores: Scores) -> None:
        """Note an update's time, and test the team where that is due.

        Args:
            scores: of the team.
        """
        comparison = self._comparison
        self._updates += 1
        last = self._updates == comparison.updates
        now = time.process_time(), time.perf_counter()
        if self._since is not None and not last:
            self.record.cpu += now[0] - self._since[0]
            self.record.wall += now[1] - self._since[1]
            self.record.timed_frames += comparison.games * comparison.task.steps
        if self._updates % comparison.updates_between_tests == 0 or last:
            self._test(scores)
        self._since = time.process_time(), time.perf_counter()

    def _test(self, scores: Scores) -> None:
        comparison = self._comparison
        last = self._updates == comparison.updates
        games = LAST_TEST_GAMES if last else TEST_GAMES
        per_update = comparison.games * comparison.task.steps
        self.record.frames.append(self._updates * per_update)
        # The peers draw from torch's global generator.
        with torch.random.fork_rng():
            greedy, sampled = _mean_returns(comparison, scores, games)
        self.record.greedy.append(greedy)
        self.record.sampled.append(sampled)


@torch.no_grad()
def _mean_returns(
    comparison: Comparison, scores: Scores, games: int
) -> tuple[float, float]:
    """What a team earns in test games, which begin alike for all teams: greedy, and sampled."""
    torch.manual_seed(_SEED_OF_TESTS)
    environment = build_environment(
        tested(comparison.task.environment),
        games=2 * games,
        device="cpu",
        generator=torch.Generator().manual_seed(_SEED_OF_TESTS),
    )
    observation = environment.reset()
    total = torch.zeros(2 * games)
    for _ in range(comparison.task.steps):
        assert observation.features is not None
        said = scores(observation.features)
        result = environment.step(_actions(comparison, said, observation, games))
        total += result.team_reward
        observation = result.observation
    greedy, sampled = total.split(games)
    return float(greedy.mean()), float(sampled.mean())


def tested(environment: dict[str, Any]) -> Any:
    """The config of an environment.

    Args:
        environment: as plain values.
    """
    plain = {
        "environment": environment,
        "host": {"name": "mappo"},
        "exploration": {"name": "entropy_sampling"},
        "stages": [{"episodes": 1}],
        "training": {"episodes_per_update": 1},
    }
    return validate_strictly(RunConfig, plain).environment


def _actions(
    comparison: Comparison, said: Tensor, observation: Observation, greedy: int
) -> Tensor:
    """The first ``greedy`` games are played greedily, and the others sampled."""
    legal = observation.legal_actions()
    if legal is not None:
        said = said.masked_fill(~legal, -torch.inf)
    best = said.argmax(-1)
    settings = comparison.settings
    if isinstance(settings, OffPolicy):
        any_action = torch.where(said.isinf(), 0.0, 1.0)
        drawn = torch.distributions.Categorical(any_action).sample()
        explores = torch.rand(best.shape) < settings.last_epsilon
        sampled = torch.where(explores, drawn, best)
    else:
        sampled = torch.distributions.Categorical(logits=said).sample()
    return torch.cat([best[:greedy], sampled[greedy:]])
