"""What both sides of a comparison are trained with: one place, from which each reads its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

#: Test games of an evaluation, and of the last one of a run: as many greedy as sampled ones.
TEST_GAMES: Final = 64
LAST_TEST_GAMES: Final = 128
#: Evaluations of a run, besides the one before training.
EVALUATIONS: Final = 5


@dataclass(frozen=True)
class Task:
    """An environment that both sides step.

    Attributes:
        label: what tables call it.
        environment: our config of it, by which both sides are tested.
        steps: how long each of its games lasts.
        frames: steps of games that a run is trained for.
    """

    label: str
    environment: dict[str, Any]
    steps: int
    frames: int


@dataclass(frozen=True)
class OnPolicy:
    """Of MAPPO and IPPO. Networks have two hidden layers with ReLU.

    Attributes:
        games: played for an update.
        minibatches: of an epoch.
    """

    games: int = 60
    minibatches: int = 15
    epochs: int = 10
    hidden: int = 64
    learning_rate: float = 1e-3
    gamma: float = 0.99
    gae_lambda: float = 0.9
    clip: float = 0.2
    entropy: float = 0.01
    value_coefficient: float = 1.0
    max_gradient_norm: float = 5.0


@dataclass(frozen=True)
class OffPolicy:
    """Of QMIX, VDN and IQL. Agents' networks have two hidden layers with ReLU.

    Attributes:
        games: played before each update.
        steps: of the optimiser, in each update.
        batch_games: how many games' steps each of them learns from.
        replay_games: how many games' steps are kept.
        target_updates: updates from one copy of the target network to the next.
        exploring: share of the run in which epsilon falls.
    """

    games: int = 30
    steps: int = 60
    batch_games: int = 5
    replay_games: int = 1000
    target_updates: int = 2
    hidden: int = 64
    learning_rate: float = 5e-4
    gamma: float = 0.99
    max_gradient_norm: float = 5.0
    first_epsilon: float = 1.0
    last_epsilon: float = 0.05
    exploring: float = 0.5


ON_POLICY: Final = ("MAPPO", "IPPO")
OFF_POLICY: Final = ("QMIX", "VDN", "IQL")


@dataclass(frozen=True)
class Comparison:
    """An algorithm on a task, here and in a peer.

    Attributes:
        algorithm: its name.
        task: the environment.
        peer: the other framework.
        settings: what both are trained with.
    """

    algorithm: str
    task: Task
    peer: str
    settings: OnPolicy | OffPolicy

    @property
    def name(self) -> str:
        """What results call it."""
        return f"{self.algorithm}, {self.task.label}, {self.peer}"

    @property
    def games(self) -> int:
        """Games before each update."""
        return self.settings.games

    @property
    def updates(self) -> int:
        """Updates of a run; every game lasts as long."""
        return self.task.frames // (self.games * self.task.steps)

    @property
    def frames(self) -> int:
        """Steps of games of all updates."""
        return self.updates * self.games * self.task.steps

    @property
    def updates_between_tests(self) -> int:
        """Updates from one evaluation to the next."""
        return max(1, self.updates // EVALUATIONS)


def _vmas(scenario: str, **kwargs: Any) -> dict[str, Any]:
    return {
        "name": "vmas",
        "id": scenario,
        "kwargs": kwargs,
        "max_steps": 100,
        "reward": "team",
        "state": "joined",
    }


SPREAD: Final = Task("VMAS simple_spread", _vmas("simple_spread"), 100, 90_000)
GIVE_WAY: Final = Task("VMAS give_way", _vmas("give_way"), 100, 60_000)
MPE: Final = Task(
    "mpe2 simple_spread",
    {
        "name": "pettingzoo",
        "id": "mpe2:simple_spread_v3",
        "kwargs": {"N": 3, "max_cycles": 25},
        "reward": "team",
        "state": "joined",
    },
    25,
    30_000,
)
#: EPyMARL's own: a step of the optimiser after each game.
_ONE_BY_ONE: Final = OffPolicy(
    games=1,
    steps=1,
    batch_games=32,
    replay_games=5000,
    target_updates=200,
    max_gradient_norm=10.0,
)


def _with_benchmarl(algorithm: str, task: Task) -> Comparison:
    settings = OnPolicy() if algorithm in ON_POLICY else OffPolicy()
    return Comparison(algorithm, task, BENCHMARL, settings)


#: The sides of a comparison, beside the peer. BenchMARL learns from single steps; where it is the
#: peer, ours are run once more with whole games, our default. EPyMARL learns from whole games.
OURS: Final = "ours"
WHOLE_GAMES: Final = "ours, whole games"
BENCHMARL: Final = "BenchMARL"
EPYMARL: Final = "EPyMARL"
#: In the order in which they are run.
COMPARISONS: Final = (
    *(_with_benchmarl(name, GIVE_WAY) for name in (*ON_POLICY, *OFF_POLICY)),
    *(_with_benchmarl(name, SPREAD) for name in (*ON_POLICY, *OFF_POLICY)),
    *(Comparison(name, MPE, EPYMARL, _ONE_BY_ONE) for name in OFF_POLICY),
)
