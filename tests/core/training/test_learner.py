"""How the learner and Lightning work together."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback
from torch import Tensor

from marl_core.config.run import RunConfig
from marl_core.construction import build_environment
from marl_core.errors import UserError
from marl_core.observation_table import table_of
from marl_core.run_state import RunState
from marl_core.runs.assembly import first_state, newest_state
from marl_core.runs.metrics_rows import read_metrics
from marl_core.training.games import RankGames
from marl_core.training.learner import Learner
from marl_core.training.optimizer import FlatAdam
from marl_core.training.stages import check, train
from marl_core.training.watchers import Watchers
from marl_core.types import Rollout
from tests.support.runs import go_on, run_data, start


class Watcher(Callback):
    """What a callback of Lightning gets to see."""

    def __init__(self) -> None:
        self.global_steps: list[int] = []
        self.optimizer_steps = 0

    def on_before_optimizer_step(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        optimizer: torch.optim.Optimizer,
    ) -> None:
        self.optimizer_steps += 1

    def on_train_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        self.global_steps.append(trainer.global_step)


def test_lightning_knows_of_every_optimisation_step(tmp_path: Path) -> None:
    """Checkpointing callbacks rely on ``global_step``; a step taken behind Lightning's back would
    not count.
    """
    watcher = Watcher()
    data = run_data()
    data["stages"] = data["stages"][:1]
    data["host"] = {"name": "ppo_ma", "epochs": 3, "min_inside_clip": 0.0}
    folder = start(tmp_path / "run", data)
    watchers = Watchers(callbacks=[watcher], progress_bar=False)
    train(folder.load_config(), folder, watchers)
    assert watcher.global_steps == [3, 6, 9, 12, 15, 18, 21]
    assert watcher.optimizer_steps == 21


def test_metrics_of_a_run(tmp_path: Path) -> None:
    folder = start(tmp_path / "run", run_data("pr"))
    go_on(folder)
    rows = read_metrics(folder.metrics)
    # A line every 2 updates, and where an evaluation is due: every 5 updates, at the start and at
    # the ends of stages.
    assert [int(row["update"]) for row in rows] == [0, 2, 4, 5, 6, 7, 8, 10, 12, 13]
    assert [int(row["update"]) for row in rows if "exact/return" in row] == [
        0,
        5,
        7,
        10,
        13,
    ]
    assert [int(row["episodes"]) for row in rows] == [
        16 * int(row["update"]) for row in rows
    ]
    assert [int(row["stage"]) for row in rows] == [0] * 6 + [1] * 4
    # Those of the update's rollout: it began an update earlier. eta rises over 64 episodes to 0.75.
    column = "coupling/in resonance"
    eta = [float(row[column]) for row in rows if column in row]
    assert eta == pytest.approx([0, 0.75 * 32 / 64, 0.75, 0.75])
    assert all(column not in row for row in rows if row["stage"] == "0")


def test_training_return_is_the_mean_over_the_games(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    returns, own = [], RankGames.collect

    def collect(games: RankGames, *arguments: Any) -> Any:
        rollout = own(games, *arguments)
        returns.append(float(rollout.team_reward.sum(0).mean()))
        return rollout

    monkeypatch.setattr(RankGames, "collect", collect)
    folder = start(tmp_path / "run", run_data(log_every=1))
    go_on(folder)
    logged = [
        float(row["training_return"])
        for row in read_metrics(folder.metrics)
        if "training_return" in row
    ]
    assert logged == pytest.approx(returns)


def test_progress_is_counted(tmp_path: Path) -> None:
    folder = start(tmp_path / "run", run_data())
    go_on(folder)
    saved = folder.load_checkpoint()
    assert saved is not None
    assert saved["marl"]["progress"] == {
        "episodes": 13 * 16,
        "stage": 1,
        "stage_episodes": 6 * 16,
        "environment_steps": 13 * 16 * 3,
        "updates": 13,
    }


def test_checkpoints_hold_nothing_of_the_single_fit(tmp_path: Path) -> None:
    """Lightning's own counts start anew in every fit: with them, a resumed run would differ from
    one never stopped.
    """
    folder = start(tmp_path / "run", run_data())
    go_on(folder)
    saved = folder.load_checkpoint()
    assert saved is not None
    assert set(saved) == {
        "pytorch-lightning_version",
        "state_dict",
        "optimizer_states",
        "marl",
    }
    assert all(name.startswith("host.") for name in saved["state_dict"])


def test_optimiser_is_set_up_for_each_stage(tmp_path: Path) -> None:
    """PR-Fast's heads are new parameters: 6 updates of 3 epochs have been made on them, not 13."""
    data = run_data("pr_fast")
    data["host"]["min_inside_clip"] = 0.0
    folder = start(tmp_path / "run", data)
    go_on(folder)
    saved = folder.load_checkpoint()
    assert saved is not None
    states = saved["optimizer_states"][0]["state"].values()
    assert [float(state["step"]) for state in states] == [18.0, 18.0]
    host = newest_state(folder).host
    sizes = [vector.numel() for vector in FlatAdam(host.parameter_groups()).vectors]
    assert [state["exp_avg"].numel() for state in states] == sizes


def test_threads_are_as_configured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []
    monkeypatch.setattr(
        Learner,
        "on_train_end",
        lambda learner: seen.append(torch.get_num_threads()),
        raising=False,
    )
    before = torch.get_num_threads()
    try:
        go_on(start(tmp_path / "run", run_data(threads=2)))
    finally:
        torch.set_num_threads(before)
    assert seen == [2, 2]


@pytest.mark.parametrize(
    "training",
    [
        {"strategy": "no_such_strategy"},
        {"accelerator": "no_such_accelerator"},
    ],
)
def test_what_lightning_refuses_is_refused_before_anything_is_written(
    training: dict[str, Any],
) -> None:
    with pytest.raises(UserError, match="Lightning refuses") as refused:
        check(RunConfig.model_validate(run_data(**training)))
    assert "\n" not in str(refused.value)


def test_a_broken_host_ends_the_run_with_its_own_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing of Lightning stands between the user and the mistake."""

    def broken(*arguments: Any) -> Any:
        raise ZeroDivisionError("in the environment")

    monkeypatch.setattr(RankGames, "collect", broken)
    folder = start(tmp_path / "run", run_data())
    with pytest.raises(ZeroDivisionError, match="in the environment"):
        train(folder.load_config(), folder, Watchers(progress_bar=True))


def recalled_in(
    monkeypatch: pytest.MonkeyPatch,
) -> list[tuple[Rollout, Rollout | None]]:
    """What ``recall`` is given and what it gives first, in every update of a run."""
    seen: list[tuple[Rollout, Rollout | None]] = []
    recall = RankGames.recall

    def watched(games: RankGames, rollout: Rollout) -> Iterator[Rollout]:
        recalled = list(recall(games, rollout))
        seen.append((rollout, recalled[0] if recalled else None))
        yield from recalled

    monkeypatch.setattr(RankGames, "recall", watched)
    return seen


def test_on_policy_hosts_learn_from_what_was_just_played(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = recalled_in(monkeypatch)
    go_on(start(tmp_path / "run", run_data()))
    assert len(seen) == 13
    assert all(recalled is played for played, recalled in seen)


def test_off_policy_hosts_learn_from_the_newest_episodes_of_the_stage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Batches of 24 out of the newest 40; 16 are played in an update, so that the first brings
    nothing to learn.
    """
    seen = recalled_in(monkeypatch)
    folder = start(tmp_path / "run", run_data(host="qmix", log_every=1))
    go_on(folder)

    def episodes(rollout: Rollout) -> list[tuple[int, ...]]:
        parts = (
            rollout.actions.flatten(2),
            rollout.team_reward.unsqueeze(-1).mul(1000).round().long(),
        )
        return [
            tuple(game.flatten().tolist()) for game in torch.cat(parts, -1).unbind(1)
        ]

    for stage, updates in ((0, seen[:7]), (1, seen[7:])):
        played: list[tuple[int, ...]] = []
        for index, (rollout, recalled) in enumerate(updates):
            assert rollout.progress.stage == stage
            played = [*played, *episodes(rollout)][-40:]
            if index == 0:
                assert recalled is None
                continue
            assert recalled is not None
            assert recalled.progress == rollout.progress
            assert recalled.table is rollout.table
            assert recalled.actions.shape == (3, 24, 5)
            assert set(episodes(recalled)) <= set(played)
        assert any(
            set(episodes(r)) - set(episodes(p)) for p, r in updates if r is not None
        ), "nothing old is recalled"
    learnt = [
        int(row["update"]) for row in read_metrics(folder.metrics) if "td_error" in row
    ]
    assert learnt == [*range(2, 8), *range(9, 14)]
    saved = folder.load_checkpoint()
    assert saved is not None
    assert [
        float(state["step"]) for state in saved["optimizer_states"][0]["state"].values()
    ] == [5.0]


def policies_of(state: RunState) -> Tensor:
    """Every agent's policy in every distinct observation."""
    environment = build_environment(
        state.config.environment,
        games=1,
        device="cpu",
        generator=torch.Generator(),
    )
    table = table_of(environment)
    assert table is not None
    with torch.no_grad():
        scores, _ = state.host.scores(table, {})
    policy = state.exploration.individual
    return policy.log_policy(scores, None, state.progress).exp()


@pytest.mark.parametrize("host", ["ppo_ma", "qmix"])
def test_policies_are_kept_at_every_evaluation(tmp_path: Path, host: str) -> None:
    folder = start(tmp_path / "run", run_data("pr", host=host, record_policies=True))
    go_on(folder)
    kept = folder.policies()
    assert [episodes for episodes, _ in kept] == [
        16 * update for update in (0, 5, 7, 10, 13)
    ]
    # The first: those of the host as it is built, by the stage's exploration. The last: those of
    # the checkpoint.
    states = (first_state(folder.load_config()), newest_state(folder))
    for (episodes, policies), state in zip((kept[0], kept[-1]), states, strict=True):
        assert state.progress.episodes == episodes
        expected = policies_of(state)
        assert policies.shape == (3, 5, 10)
        torch.testing.assert_close(torch.from_numpy(policies), expected, rtol=0, atol=0)
    assert not (kept[0][1] == kept[-1][1]).all()


def test_policies_are_not_kept_unless_asked_for(tmp_path: Path) -> None:
    folder = start(tmp_path / "run", run_data())
    go_on(folder)
    assert not folder.policies_folder.exists()
    assert folder.policies() == []
