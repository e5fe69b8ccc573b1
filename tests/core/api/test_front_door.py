"""The front door in Python: train, load, act, go on, transfer."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from lightning import Callback, LightningModule, Trainer
from lightning.pytorch.loggers import CSVLogger

from marl_core import Run, RunConfig, UserError, load, train
from marl_core.evaluation.scores import Score
from marl_core.evaluation.statistics import Interval
from marl_core.runs.folder import RunFolder
from tests.support.places import EXAMPLES
from tests.support.runs import differences, outcome, run_data

#: Example configs, each cut short.
SHORT: dict[str, dict[str, Any]] = {
    "fme_pr": {
        "environment.agents": 4,
        "stages.0.episodes": 64,
        "stages.1.episodes": 64,
        "training.episodes_per_update": 32,
    },
    "adca_small": {
        "environment.agents": 4,
        "environment.attackers": 3,
        "environment.max_steps": 12,
        "stages.0.episodes": 8,
        "training.episodes_per_update": 4,
        "training.parallel_games": 4,
        "training.evaluation_episodes": 4,
    },
    "custom_environment": {
        "stages.0.episodes": 64,
        "stages.1.episodes": 64,
        "training.episodes_per_update": 32,
    },
}


def short_run(name: str, out: Path, **settings: Any) -> Run:
    chosen = {**SHORT[name], "training.tensorboard": False, **settings}
    return train(EXAMPLES / f"{name}.yaml", set=chosen, out=out, progress=False)


@pytest.fixture(scope="module")
def two_stages(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A finished run of two stages; it is not to be changed."""
    path = tmp_path_factory.mktemp("two") / "run"
    return train(run_data("pr", (3, 2)), out=path, progress=False)


@pytest.mark.parametrize("name", SHORT)
def test_the_sketch_runs_as_written(name: str, tmp_path: Path) -> None:
    run = short_run(name, tmp_path / "a", seed=1)
    exact = run.summary["return"].exact
    assert (exact is not None) == (name == "fme_pr")
    assert run.summary.seed == run.config.seed == 1
    assert run.metrics().rows > 0
    policy = load(tmp_path / "a").policy(mode="greedy")
    env = policy.make_environment(games=4, seed=0)
    obs = env.reset()
    earned = torch.zeros(4)
    steps = 0
    while not env.all_done:
        obs, reward, done = env.step(policy(obs))
        assert done.shape == reward.shape == (4,)
        earned += reward
        steps += 1
    assert steps <= env.spec.max_steps
    longer = load(tmp_path / "a").extend(
        stages=[{"episodes": run.config.training.episodes_per_update}],
        out=tmp_path / "b",
        progress=False,
    )
    assert longer.finished
    assert longer.summary.training_episodes > run.summary.training_episodes


def test_importing_the_package_is_quick() -> None:
    code = (
        "import sys, marl_core\n"
        "print(sorted({'torch', 'lightning', 'pydantic', 'numpy'} & set(sys.modules)))\n"
        "print(marl_core.__version__)\n"
        "print(marl_core.UserError.__module__)\n"
        "print(sorted(set(marl_core.__all__) - set(dir(marl_core))))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    heavy, version, module, missing = done.stdout.splitlines()
    assert heavy == missing == "[]"
    assert version[0].isdigit()
    assert module == "marl_core.errors"


def test_everything_exported_is_there() -> None:
    import marl_core

    for name in marl_core.__all__:
        assert getattr(marl_core, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'trian'"):
        marl_core.trian  # noqa: B018


def test_a_config_may_be_a_file_values_or_an_object(tmp_path: Path) -> None:
    data = run_data(updates=(1, 1))
    runs = [
        train(data, out=tmp_path / "values", progress=False),
        train(RunConfig.model_validate(data), out=tmp_path / "object", progress=False),
    ]
    path = tmp_path / "run.yaml"
    path.write_text(json.dumps(data))
    runs.append(train(str(path), out=tmp_path / "file", progress=False))
    ends = [outcome(RunFolder(run.path)) for run in runs]
    assert differences(ends[0], ends[1]) == []
    assert differences(ends[0], ends[2]) == []


def test_settings_over_a_config(tmp_path: Path) -> None:
    settings = {"seed": 5, "stages.1.exploration": {"name": "entropy_sampling"}}
    run = train(run_data(updates=(1, 1)), set=settings, out=tmp_path, progress=False)
    assert run.config.seed == 5
    assert run.config.stage_exploration(1).name == "entropy_sampling"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"environment.agnets": 3},
            "--set environment.agnets: unknown key 'agnets', did",
        ),
        ({"seed": -1}, "--set seed: must be"),
        ({"": 1}, "dotted.key=value is expected"),
    ],
)
def test_mistakes_in_settings(
    settings: dict[str, Any], message: str, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match=message):
        train(run_data(), set=settings, out=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_mistake_in_values_names_its_part(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"^config: host\.name: unknown host 'ppo'"):
        train(run_data() | {"host": {"name": "ppo"}}, out=tmp_path / "run")


def test_extending_is_training_all_stages_at_once(
    two_stages: Run, tmp_path: Path
) -> None:
    """To the last bit: the new run goes on exactly from the checkpoint."""
    data = run_data("pr", (3, 2))
    more = {"episodes": 48, "exploration": {"name": "entropy_sampling"}}
    whole = train(
        data | {"stages": [*data["stages"], more]},
        out=tmp_path / "whole",
        progress=False,
    )
    before = outcome(RunFolder(two_stages.path))
    extended = two_stages.extend([more], tmp_path / "extended", progress=False)
    ends = [outcome(RunFolder(run.path)) for run in (whole, extended)]
    assert ends[0]["checkpoint"].keys() == ends[1]["checkpoint"].keys()
    metrics = [end.pop("metrics") for end in ends]
    assert differences(ends[0], ends[1]) == []
    # An evaluation is due at the end of a run, so the extended one has no more lines than it.
    assert metrics[0] == metrics[1]
    assert differences(before, outcome(RunFolder(two_stages.path))) == []


def test_extending_into_a_run_is_refused(two_stages: Run) -> None:
    with pytest.raises(UserError, match="run here already"):
        two_stages.extend([{"episodes": 16}], two_stages.path)


def test_a_stage_that_cannot_be(two_stages: Run, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"stages\.2\.episodes: 17 is no multiple"):
        two_stages.extend([{"episodes": 17}], tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_transfer_takes_over_what_fits_and_names_the_rest(
    two_stages: Run, tmp_path: Path
) -> None:
    larger = two_stages.transfer({"agents": 7}, tmp_path / "larger", progress=False)
    assert larger.finished
    found = larger.transferred
    assert found is not None
    assert found.origin == str(two_stages.path)
    # The networks see the agent's one-hot identity, so their first layer is a wider one.
    assert "encoder.layers.0.weight" in found.drawn_anew
    assert found.drawn_anew["encoder.layers.0.weight"] == "8x8 here, 6x8 there"
    assert "body.layers.1.weight" in found.taken
    assert two_stages.transferred is None
    start = torch.load(RunFolder(larger.path).start, weights_only=True)
    saved = RunFolder(two_stages.path).load_checkpoint()
    assert saved is not None
    assert sorted(start) == sorted(found.taken)
    for name, value in start.items():
        assert torch.equal(value, saved["state_dict"][f"host.{name}"])


def test_a_transferred_run_begins_with_what_it_took(
    two_stages: Run, tmp_path: Path
) -> None:
    class First(Callback):
        weights: torch.Tensor

        def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
            self.weights = pl_module.state_dict()["host.body.layers.1.weight"].clone()

    first = First()
    two_stages.transfer(
        {"agents": 7},
        tmp_path / "larger",
        stages=[{"episodes": 16}],
        callbacks=[first],
        progress=False,
    )
    saved = RunFolder(two_stages.path).load_checkpoint()
    assert saved is not None
    expected = saved["state_dict"]["host.body.layers.1.weight"]
    assert torch.equal(first.weights, expected)


TABULAR = """\
import torch
from torch import nn

from marl_core.base_config import HostConfig
from marl_core.capabilities import HostCapabilities
from marl_core.types import Loss, ParameterGroup


class Tabular(nn.Module):
    Config = HostConfig
    capabilities = HostCapabilities(scores="logits")

    def __init__(self, config, spec, generator):
        super().__init__()
        self.logits = nn.Parameter(torch.zeros(spec.agents, spec.actions))

    def initial_memory(self, games):
        return {}

    def scores(self, observation, memory):
        shape = observation.features.shape[:-2]
        return self.logits.expand(*shape, -1, -1), memory

    def losses(self, rollout, policy, context):
        yield Loss(self.logits.square().sum())

    def parameter_groups(self):
        return [ParameterGroup([self.logits], 0.01)]
"""


def test_a_host_of_which_nothing_fits_cannot_be_transferred(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", [*sys.path])
    (tmp_path / "tabular_host.py").write_text(TABULAR)
    data = run_data(updates=(1, 1)) | {"host": {"name": "tabular_host:Tabular"}}
    data["stages"] = [{"episodes": 16}]
    path = tmp_path / "run.yaml"
    path.write_text(json.dumps(data))
    run = train(path, out=tmp_path / "run", progress=False)
    message = "cannot begin with these parameters: none of them fits"
    with pytest.raises(UserError, match=message) as refused:
        run.transfer({"agents": 7}, tmp_path / "other")
    assert "logits: 7x10 here, 5x10 there" in str(refused.value)
    assert "\n" not in str(refused.value)
    assert not (tmp_path / "other").exists()


def test_callbacks_and_loggers_are_lightnings(tmp_path: Path) -> None:
    class Counts(Callback):
        stages = 0
        updates = 0

        def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
            self.stages += 1

        def on_train_batch_end(self, *arguments: Any) -> None:
            self.updates += 1

    counts = Counts()
    logger = CSVLogger(tmp_path / "mine")
    train(
        run_data(updates=(3, 2), log_every=1),
        out=tmp_path / "run",
        callbacks=[counts],
        loggers=[logger],
        progress=False,
    )
    assert (counts.stages, counts.updates) == (2, 5)
    logged = (Path(logger.log_dir) / "metrics.csv").read_text()
    header, *rows = logged.splitlines()
    assert "train/policy_loss" in header
    column = header.split(",").index("step")
    assert [int(row.split(",")[column]) for row in rows] == [0, 16, 32, 48, 64, 80]


@pytest.mark.parametrize("host", ["ppo_ma", "qmix", "conc4hist"])
def test_watching_changes_nothing(host: str, tmp_path: Path) -> None:
    """Loggers make the learner compute diagnostics, which affect no number of the run."""
    data = run_data("pr", (3, 2), host, log_every=1)
    alone = train(data, out=tmp_path / "alone", progress=False)
    watched = train(
        data,
        out=tmp_path / "watched",
        loggers=[CSVLogger(tmp_path / "mine")],
        progress=False,
    )
    ends = [outcome(RunFolder(run.path)) for run in (alone, watched)]
    assert differences(ends[0], ends[1]) == []


def test_resume_and_finished(tmp_path: Path) -> None:
    data = run_data(updates=(5, 2))
    data["training"]["checkpoint_every"] = 1
    with pytest.raises(RuntimeError, match="stopped"):
        train(data, out=tmp_path / "run", callbacks=[_StopAfter(2)], progress=False)
    run = load(tmp_path / "run")
    assert not run.finished
    assert run.trained_episodes == 32
    with pytest.raises(UserError, match="no summary yet"):
        _ = run.summary
    assert run.resume(progress=False).finished
    assert run.trained_episodes == run.config.episodes == 112


class _StopAfter(Callback):
    def __init__(self, updates: int) -> None:
        self._left = updates

    def on_train_batch_start(self, *arguments: Any) -> None:
        if self._left == 0:
            raise RuntimeError("stopped")
        self._left -= 1


def test_loading_what_is_no_run(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no run here"):
        load(tmp_path)


def test_scores_are_typed_and_named(two_stages: Run) -> None:
    summary = two_stages.summary
    assert set(summary.scores) == {"A1", "B1", "C1", "return"}
    score = summary["return"]
    assert score.exact is not None
    assert score.greedy.low <= score.greedy.mean <= score.greedy.high
    with pytest.raises(KeyError, match="no score 'retrun', did you mean 'return'"):
        summary["retrun"]
    again = two_stages.evaluate(summary.scores.episodes)
    assert again["return"].exact == score.exact
    assert again["C1"] == summary["C1"]
    assert summary.cpu


def test_what_is_shown_of_a_score_is_rounded(two_stages: Run) -> None:
    exact = two_stages.summary["return"].exact
    assert exact is not None
    assert f"return: {exact:.4f})" in repr(two_stages.summary.scores)
    shown = Score(1.0000000298, Interval(0.5, 0.25, 0.75), Interval(1 / 3, 0.25, 0.5))
    assert repr(shown) == (
        "Score(exact=1.0, greedy=0.5000 [0.2500, 0.7500], "
        "sampled=0.3333 [0.2500, 0.5000])"
    )


def test_metrics_are_a_table(two_stages: Run) -> None:
    table = two_stages.metrics()
    assert table.rows == len(table["episodes"])
    assert table["update"].dtype == np.float64
    assert np.isnan(table["policy_loss"][0])
    episodes, values = table.measured("exact/return")
    assert episodes[0] == 0
    assert episodes[-1] == two_stages.config.episodes
    assert not np.isnan(values).any()
    assert set(dict(table)) == set(table)
    with pytest.raises(KeyError, match="did you mean 'exact/return'"):
        table["exact/retrun"]
