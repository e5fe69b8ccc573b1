"""A search for settings with Optuna, in which poor trials are ended early.

    pip install optuna
    python examples/optuna_pruning.py --trials 20

A callback reports each evaluation to the trial, and ends the run once Optuna finds the trial poor.
The folder of a run that was ended keeps its checkpoints, so ``marl resume`` can still finish it.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import optuna
from lightning import Callback, Trainer

from marl_core import train

CONFIG = Path(__file__).parent / "fme_ppo_ma.yaml"


class Pruning(Callback):
    """Reports the greedy return of each evaluation, and ends a trial that Optuna gives up."""

    def __init__(self, trial: optuna.Trial) -> None:
        self._trial = trial
        self._reported: object = None

    def on_train_batch_end(self, trainer: Trainer, learner: Any, *_: Any) -> None:
        """After each update: is there a new evaluation?"""
        newest = learner.latest
        if newest is None or newest is self._reported:
            return
        self._reported = newest
        value = newest.team_return.greedy.mean
        self._trial.report(value, step=learner.progress.episodes)
        if self._trial.should_prune():
            raise optuna.TrialPruned()


def objective(trial: optuna.Trial, episodes: int, out: Path) -> float:
    """A run of one trial; its value is the greedy team's return."""
    settings = {
        "exploration.coefficient": trial.suggest_float("c_H", 0.01, 0.2, log=True),
        "host.learning_rate": trial.suggest_float("rate", 1e-4, 2e-3, log=True),
        "stages.0.episodes": episodes,
        "training.evaluate_every": 8,
        "training.devices": 1,
    }
    run = train(
        str(CONFIG),
        set=settings,
        out=out / str(trial.number),
        callbacks=[Pruning(trial)],
        progress=False,
    )
    return float(run.summary["return"].greedy.mean)


def main() -> None:
    """Run a study, and print its best settings."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--trials", type=int, default=20)
    parser.add_argument("--episodes", type=int, default=65_536)
    parser.add_argument("--out", type=Path, default=Path("runs/study"))
    given = parser.parse_args()
    study = optuna.create_study(
        direction="maximize",
        sampler=optuna.samplers.TPESampler(seed=0),
        pruner=optuna.pruners.MedianPruner(n_startup_trials=3),
    )
    study.optimize(
        lambda trial: objective(trial, given.episodes, given.out),
        n_trials=given.trials,
    )
    for state in ("COMPLETE", "PRUNED"):
        count = sum(trial.state.name == state for trial in study.trials)
        print(f"{count} trials {state.lower()}")
    print(f"best: {study.best_value:.3f} with {study.best_params}")


if __name__ == "__main__":
    main()
