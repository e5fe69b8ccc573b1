"""A run of this project, with the settings of a comparison."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any, Final, final

from lightning import Callback
from torch import Tensor

from marl_core import train
from marl_core.training.learner import Learner
from marl_core.types import Observation
from peer.settings import BENCHMARL, WHOLE_GAMES, Comparison, OffPolicy, OnPolicy
from peer.watching import Record, Watch

_MIXERS: Final = {"QMIX": "monotonic", "VDN": "sum", "IQL": "none"}
_NEVER: Final = 10**9


def run(comparison: Comparison, seed: int, side: str) -> Record:
    """Train, and say what came of it.

    Args:
        comparison: the algorithm and the task.
        seed: of the run.
        side: ``ours``, or the same with minibatches of whole games.
    """
    watch = Watch(comparison)
    with tempfile.TemporaryDirectory() as folder:
        train(
            config(comparison, seed, side),
            out=Path(folder) / "run",
            callbacks=[_Watching(watch)],
            progress=False,
        )
    return watch.record


@final
class _Watching(Callback):
    def __init__(self, watch: Watch) -> None:
        self._watch = watch

    def on_train_start(self, trainer: Any, learner: Any) -> None:
        self._watch.begin(_Scores(learner))

    def on_train_batch_end(self, trainer: Any, learner: Any, *_: Any) -> None:
        self._watch.updated(_Scores(learner))


@final
class _Scores:
    def __init__(self, learner: Learner) -> None:
        self._learner = learner

    def __call__(self, features: Tensor) -> Tensor:
        return self._learner.host.scores(Observation(features), {})[0]


def config(comparison: Comparison, seed: int, side: str) -> dict[str, Any]:
    """The config of a run.

    Args:
        comparison: the algorithm and the task.
        seed: of the run.
        side: as for ``run``.
    """
    settings = comparison.settings
    if isinstance(settings, OnPolicy):
        host, exploration = _on_policy(comparison.algorithm, settings, side)
    else:
        host, exploration = _off_policy(comparison, settings, side)
    return {
        "seed": seed,
        "environment": comparison.task.environment,
        "host": host,
        "exploration": exploration,
        "stages": [{"episodes": comparison.updates * comparison.games}],
        "training": {
            "episodes_per_update": comparison.games,
            "evaluate_every": _NEVER,
            "evaluation_episodes": 2,
            "checkpoint_every": _NEVER,
            "tensorboard": False,
            "devices": 1,
            "threads": 1,
        },
    }


def _on_policy(
    algorithm: str, settings: OnPolicy, side: str
) -> tuple[dict[str, Any], ...]:
    host = {
        "name": "mappo",
        "critic": "central" if algorithm == "MAPPO" else "own",
        "hidden": settings.hidden,
        "minibatches": settings.minibatches,
        "minibatches_of": "games" if side == WHOLE_GAMES else "steps",
        "epochs": settings.epochs,
        "learning_rate": settings.learning_rate,
        "gamma": settings.gamma,
        "gae_lambda": settings.gae_lambda,
        "clip": settings.clip,
        "value_coefficient": settings.value_coefficient,
        "max_gradient_norm": settings.max_gradient_norm,
        # What the peers do not have.
        "identity": False,
        "value_normalisation": False,
        "huber": None,
        "dual_clip": 1e30,
        "min_inside_clip": 0.0,
    }
    return host, {"name": "entropy_sampling", "coefficient": settings.entropy}


def _off_policy(
    comparison: Comparison, settings: OffPolicy, side: str
) -> tuple[dict[str, Any], ...]:
    single_steps = side != WHOLE_GAMES and comparison.peer == BENCHMARL
    steps = settings.batch_games * comparison.task.steps
    host = {
        "name": "qmix",
        "mixer": _MIXERS[comparison.algorithm],
        "hidden": settings.hidden,
        "td_lambda": 0.0,
        "learning_rate": settings.learning_rate,
        "gamma": settings.gamma,
        "batch_episodes": settings.batch_games,
        "batches_per_update": settings.steps,
        "batch_steps": steps if single_steps else None,
        "replay_episodes": settings.replay_games,
        "target_every": settings.games * settings.target_updates,
        "max_gradient_norm": settings.max_gradient_norm,
    }
    exploration = {
        "name": "epsilon_greedy",
        "start": settings.first_epsilon,
        "end": settings.last_epsilon,
        "anneal_steps": int(comparison.frames * settings.exploring),
    }
    return host, exploration
