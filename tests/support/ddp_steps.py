"""Updates by given rollouts, in as many processes as there are ranks: each learns from its share of
the games.

Run as a script, because Lightning starts the other ranks by running the script again:

    python tests/support/ddp_steps.py FOLDER DEVICES HOST
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from marl_core.collection.collector import Collector
from marl_core.config.run import RunConfig
from marl_core.construction import build_environment
from marl_core.rng import generator
from marl_core.runs.assembly import first_state
from marl_core.runs.folder import RunFolder
from marl_core.training.games import RankGames
from marl_core.training.learner import Learner
from marl_core.training.place import place_of
from marl_core.training.stages import train
from marl_core.training.watchers import Watchers
from marl_core.types import Observation, Progress, Rollout
from tests.support.runs import run_data

GAMES = 12


#: Steps so long that updates end early, by ``min_inside_clip``.
FAST: dict[str, Any] = {
    "epochs": 24,
    "learning_rate": 0.01,
    "critic_rate_factor": 1.0,
    "clip": 0.1,
}


def config(devices: int, host: str = "ppo_ma") -> RunConfig:
    """Two stages of two updates.

    QMIX plays games of different lengths, and its replay holds just the games of an update, so
    that it learns from all of them. Conc4Hist's policy moves less than PPO-MA's, so its clip
    range is narrower.
    """
    data = run_data("pr_fast", (2, 2), host, episodes_per_update=GAMES, devices=devices)
    data["stages"] = [{**stage, "episodes": 2 * GAMES} for stage in data["stages"]]
    if host == "qmix":
        data["environment"] = {
            "name": "marl_core.testing.practice:Practice",
            "max_steps": 16,
        }
        data["host"] |= {
            "batch_episodes": GAMES,
            "replay_episodes": GAMES,
            "target_every": GAMES,
        }
        data["host"] |= {"learning_rate": 0.01, "max_gradient_norm": 0.1}
    else:
        data["host"] |= FAST if host == "ppo_ma" else {**FAST, "clip": 0.01}
    return RunConfig.model_validate(data)


def rollout_of_all(run: RunConfig, progress: Progress) -> Rollout:
    """The games of all ranks, the same in every process.

    The later games earn far more, and none is shorter.
    """
    # Played by the initial policy, so that ranks differ in nothing but their games.
    state = first_state(run)
    streams = [generator("cpu", 11, name, progress.updates) for name in ("play", "act")]
    environment = build_environment(
        run.environment, games=GAMES, device="cpu", generator=streams[0]
    )
    collector = Collector(environment, streams[1], use_table=run.training.use_table)
    rollout = collector.collect(state.host, state.exploration, progress)
    rollout = games_of(rollout, rollout.valid.sum(0).argsort(stable=True))
    bonus = torch.linspace(0, 3, GAMES) ** 2
    return replace(
        rollout,
        reward=rollout.reward + bonus.unsqueeze(-1),
        team_reward=rollout.team_reward + bonus,
    )


def share(rollout: Rollout, rank: int, ranks: int) -> Rollout:
    """One rank's games."""
    return games_of(
        rollout, torch.arange(rank * GAMES // ranks, (rank + 1) * GAMES // ranks)
    )


def games_of(rollout: Rollout, games: Tensor) -> Rollout:
    """Some of a rollout's games."""

    def cut(value: Any, axis: int) -> Any:
        if isinstance(value, Tensor):
            return value[games] if axis == 0 else value[:, games]
        if isinstance(value, dict):
            return {name: cut(tensor, axis) for name, tensor in value.items()}
        return (
            value.map(lambda tensor: cut(tensor, axis))
            if isinstance(value, Observation)
            else value
        )

    fields = {
        name: value
        if name == "table"
        else cut(value, 0 if name.startswith("last_") else 1)
        for name, value in vars(rollout).items()
    }
    return Rollout(**fields)


def train_by_given_rollouts(folder: RunFolder, run: RunConfig) -> None:
    """A run whose learner gets ``rollout_of_all``, or its share of it, in place of games of its
    own.

    Every rank leaves the weights that it ends with as ``rankN.pt``.
    """

    def collect(
        self: RankGames, host: object, exploration: object, progress: Progress
    ) -> Rollout:
        rank = place_of(run.training).rank
        return share(rollout_of_all(run, progress), rank, run.training.devices)

    own_end = Learner.on_train_end

    def leave_weights(self: Learner) -> None:
        own_end(self)
        torch.save(self.host.state_dict(), folder.path / f"rank{self.global_rank}.pt")

    own, RankGames.collect = RankGames.collect, collect  # type: ignore[method-assign]
    Learner.on_train_end = leave_weights  # type: ignore[method-assign]
    try:
        train(run, folder, Watchers(progress_bar=False))
    finally:
        RankGames.collect = own  # type: ignore[method-assign]
        Learner.on_train_end = own_end  # type: ignore[method-assign]


if __name__ == "__main__":
    target = RunFolder(Path(sys.argv[1]))
    if not target.config_file.exists():
        target.create(config(int(sys.argv[2]), sys.argv[3]))
    train_by_given_rollouts(target, target.load_config())
    assert not torch.distributed.is_initialized()
