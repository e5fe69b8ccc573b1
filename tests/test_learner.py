"""How the learner and Lightning work together."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from lightning import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback

from marl_core.config.run import RunConfig
from marl_core.errors import UserError
from marl_core.training import stages
from marl_core.training.learner import Learner
from marl_core.training.loggers import read_metrics
from marl_core.training.optimizer import FlatAdam
from marl_core.training.stages import check, prepare, train
from tests.runs import go_on, run_data, start


class Watcher(Callback):
    """What a callback of Lightning gets to see."""

    def __init__(self) -> None:
        self.global_steps: list[int] = []
        self.optimizer_steps = 0

    def on_before_optimizer_step(
        self, trainer: Trainer, pl_module: LightningModule, optimizer: torch.optim.Optimizer
    ) -> None:
        self.optimizer_steps += 1

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        self.global_steps.append(trainer.global_step)


def test_lightning_knows_of_every_optimisation_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Checkpointing callbacks rely on ``global_step``; a step taken behind Lightning's back would not count."""
    watcher, own = Watcher(), stages._trainer
    monkeypatch.setattr(
        stages, "_trainer", lambda config, loggers, callbacks: own(config, loggers, [*callbacks, watcher])
    )
    data = run_data()
    data["stages"] = data["stages"][:1]
    data["host"] = {"name": "ppo_ma", "passes": 3, "least_inside": 0.0}
    go_on(start(tmp_path / "run", data))
    assert watcher.global_steps == [3, 6, 9, 12, 15, 18, 21]
    assert watcher.optimizer_steps == 21


def test_metrics_of_a_run(tmp_path: Path) -> None:
    folder = start(tmp_path / "run", run_data("pr"))
    go_on(folder)
    rows = read_metrics(folder.metrics)
    # A line every 2 updates, and where an evaluation is due: every 5 updates, at the start and at the ends of stages.
    assert [int(row["update"]) for row in rows] == [0, 2, 4, 5, 6, 7, 8, 10, 12, 13]
    assert [int(row["update"]) for row in rows if "exact/return" in row] == [0, 5, 7, 10, 13]
    assert [int(row["episodes"]) for row in rows] == [16 * int(row["update"]) for row in rows]
    assert [int(row["stage"]) for row in rows] == [0] * 6 + [1] * 4
    # Those of the update's rollout: it began an update earlier. eta rises over 64 episodes to 0.75.
    eta = [float(row["coupling"]) for row in rows if "coupling" in row]
    assert eta == pytest.approx([0, 0, 0, 0, 0, 0, 0.75 * 32 / 64, 0.75, 0.75])


def test_training_return_is_the_mean_over_the_games(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    returns, own = [], Learner.collect

    def collect(learner: Learner) -> Any:
        rollout = own(learner)
        returns.append(float(rollout.team_reward.sum(0).mean()))
        return rollout

    monkeypatch.setattr(Learner, "collect", collect)
    folder = start(tmp_path / "run", run_data(log_every=1))
    go_on(folder)
    logged = [float(row["training_return"]) for row in read_metrics(folder.metrics) if "training_return" in row]
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
    """Lightning's own counts start anew in every fit: with them, a resumed run would differ from one never stopped."""
    folder = start(tmp_path / "run", run_data())
    go_on(folder)
    saved = folder.load_checkpoint()
    assert saved is not None
    assert set(saved) == {"pytorch-lightning_version", "state_dict", "optimizer_states", "marl"}
    assert all(name.startswith("host.") for name in saved["state_dict"])


def test_optimiser_is_set_up_for_each_stage(tmp_path: Path) -> None:
    """PR-Fast's heads are new parameters: 6 updates of 3 passes have been made on them, not 13."""
    data = run_data("pr_fast")
    data["host"]["least_inside"] = 0.0
    folder = start(tmp_path / "run", data)
    go_on(folder)
    saved = folder.load_checkpoint()
    assert saved is not None
    states = saved["optimizer_states"][0]["state"].values()
    assert [float(state["step"]) for state in states] == [18.0, 18.0]
    host, _, _ = prepare(folder.load_config(), saved)
    sizes = [vector.numel() for vector in FlatAdam(host.parameter_groups()).vectors]
    assert [state["exp_avg"].numel() for state in states] == sizes


def test_threads_are_as_configured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []
    monkeypatch.setattr(Learner, "on_train_end", lambda learner: seen.append(torch.get_num_threads()), raising=False)
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
def test_what_lightning_refuses_is_refused_before_anything_is_written(training: dict[str, Any]) -> None:
    with pytest.raises(UserError, match="Lightning refuses") as refused:
        check(RunConfig.model_validate(run_data(**training)))
    assert "\n" not in str(refused.value)


def test_a_broken_host_ends_the_run_with_its_own_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of Lightning stands between the user and the mistake."""

    def broken(learner: Learner) -> Any:
        raise ZeroDivisionError("in the environment")

    monkeypatch.setattr(Learner, "collect", broken)
    folder = start(tmp_path / "run", run_data())
    with pytest.raises(ZeroDivisionError, match="in the environment"):
        train(folder.load_config(), folder, progress_bar=True)


def test_the_bar_shows_all_stages(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = start(tmp_path / "run", run_data())
    train(folder.load_config(), folder, progress_bar=True)
    shown = capsys.readouterr()
    assert shown.out == ""
    last = shown.err.strip().splitlines()[-1]
    assert last.startswith("stage 2/2")
    assert "208/208 episodes" in last
    assert "return" in last
