"""A run that was interrupted, at whatever moment, ends as if it had never been."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning import Trainer
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator  # type: ignore[import-untyped]
from tensorboard.summary.writer import event_file_writer  # type: ignore[import-untyped]
from torch import Tensor

from marl_core.cli import main
from marl_core.collection.replay import Replay
from marl_core.config.run import RunConfig
from marl_core.config.yaml_file import dump_run, load_run
from marl_core.errors import UserError
from marl_core.runs import folder as run_folder
from marl_core.runs.folder import RunFolder
from marl_core.runs.metrics_file import MetricsFile
from marl_core.runs.metrics_rows import read_metrics
from marl_core.training import stages
from marl_core.training.learner import Learner
from marl_core.training.optimizer import FlatAdam
from tests.support.resuming import CrashError, crash_at, interrupted
from tests.support.runs import (
    SECOND_STAGES,
    differences,
    go_on,
    outcome,
    run_data,
    start,
)


@pytest.fixture(scope="module")
def never_stopped(
    tmp_path_factory: pytest.TempPathFactory,
) -> Callable[..., dict[str, Any]]:
    """The outcome of a run that ended undisturbed, by its second stage and its host."""
    outcomes: dict[tuple[str, str], dict[str, Any]] = {}

    def outcome_of(second: str, host: str = "ppo_ma") -> dict[str, Any]:
        if (second, host) not in outcomes:
            folder = start(
                tmp_path_factory.mktemp("whole") / "run", run_data(second, host=host)
            )
            go_on(folder)
            outcomes[second, host] = outcome(folder)
        return outcomes[second, host]

    return outcome_of


# Stages end after updates 7 and 13. The first writes checkpoints after 3, 6 and 7, the second after
# 9, 12 and 13.
POINTS = {
    "before the first update": (Learner, "training_step", 1, False),
    "before the first checkpoint": (Learner, "training_step", 3, False),
    "just after a checkpoint": (Learner, "training_step", 4, False),
    "between checkpoints": (Learner, "training_step", 5, True),
    "while learning": (FlatAdam, "step", 4 * 3 + 2, True),
    "after the logs, before the checkpoint": (Trainer, "save_checkpoint", 2, False),
    "before a new checkpoint takes the old one's place": (Path, "replace", 5, False),
    "at the end of the first stage": (Trainer, "save_checkpoint", 3, True),
    "between stages": (stages, "next_stage", 1, True),
    "before the second stage's first checkpoint": (Learner, "training_step", 8, True),
    "in the second stage": (Learner, "training_step", 11, True),
    "before the last checkpoint": (Trainer, "save_checkpoint", 6, False),
    "before the last evaluation": (stages, "evaluate", 1, False),
    "before the summary": (RunFolder, "write_summary", 1, False),
    "while logging": (MetricsFile, "log_metrics", 6, True),
}


@pytest.mark.parametrize("point", POINTS)
def test_resumed_run_is_the_same(
    point: str, tmp_path: Path, never_stopped: Callable[..., dict[str, Any]]
) -> None:
    folder = interrupted(tmp_path / "run", run_data("pr_fast"), POINTS[point])
    assert differences(outcome(folder), never_stopped("pr_fast")) == []


# QMIX makes a step in each update but for the first of a stage, in which the replay holds too
# little.
OFF_POLICY_POINTS = {
    "in the second stage": POINTS["in the second stage"],
    "while logging": POINTS["while logging"],
    "while learning": (FlatAdam, "step", 4, True),
    "while the replay is filled": (Replay, "add", 5, False),
    "between play and learning": (Replay, "add", 11, True),
    "while the replay is asked": (Replay, "sample", 6, True),
}


#: Elsewhere a run is kept in the same way, whichever host it has.
SHARED_POINTS = [point for point in POINTS if point not in OFF_POLICY_POINTS]


@pytest.mark.parametrize(
    "point",
    [
        *OFF_POLICY_POINTS,
        *(pytest.param(point, marks=pytest.mark.slow) for point in SHARED_POINTS),
    ],
)
def test_resumed_off_policy_run_is_the_same(
    point: str, tmp_path: Path, never_stopped: Callable[..., dict[str, Any]]
) -> None:
    crash = (POINTS | OFF_POLICY_POINTS)[point]
    folder = interrupted(tmp_path / "run", run_data("pr_fast", host="qmix"), crash)
    assert differences(outcome(folder), never_stopped("pr_fast", "qmix")) == []


@pytest.mark.parametrize("second", ["pr", "pr_fast"])
def test_off_policy_run_resumed_over_and_over(
    second: str, tmp_path: Path, never_stopped: Callable[..., dict[str, Any]]
) -> None:
    crashes = [(Learner, "training_step", call, True) for call in (2, 5, 4, 3, 5)]
    folder = interrupted(tmp_path / "run", run_data(second, host="qmix"), *crashes)
    assert differences(outcome(folder), never_stopped(second, "qmix")) == []


def test_checkpoints_hold_the_replay(
    never_stopped: Callable[..., dict[str, Any]],
) -> None:
    """The newest 40 of the stage's 96 episodes, each of three levels; an on-policy run has none."""
    (own,) = never_stopped("pr_fast", "qmix")["checkpoint"]["marl"]["ranks"]
    assert own["replay"]["stored"]["actions"].shape == (40, 3, 5)
    assert own["replay"]["next"] == 96 % 40
    assert {"environment", "exploration", "replay"} <= set(own["generators"])
    (other,) = never_stopped("pr_fast")["checkpoint"]["marl"]["ranks"]
    assert "replay" not in other


@pytest.mark.parametrize("second", SECOND_STAGES)
def test_resumed_over_and_over(
    second: str, tmp_path: Path, never_stopped: Callable[..., dict[str, Any]]
) -> None:
    crashes = [(Learner, "training_step", call, True) for call in (2, 5, 4, 3, 5)]
    folder = interrupted(tmp_path / "run", run_data(second), *crashes)
    assert differences(outcome(folder), never_stopped(second)) == []


def test_the_comparison_sees_a_single_bit(
    never_stopped: Callable[..., dict[str, Any]],
) -> None:
    one = never_stopped("pr_fast", "qmix")
    rank = ["marl", "ranks", 0]
    for path in (
        ["state_dict", "host.online.head.layers.0.weight"],
        ["state_dict", "host.target.head.layers.0.weight"],
        [*rank, "generators", "exploration"],
        [*rank, "generators", "replay"],
        [*rank, "replay", "stored", "actions"],
    ):
        other = copy.deepcopy(one)
        part = other["checkpoint"]
        for key in path:
            part = part[key]
        part.view(torch.uint8).view(-1)[0] ^= 1
        assert differences(one, other) == ["/checkpoint/" + "/".join(map(str, path))]


def test_runs_depend_on_the_seed(
    tmp_path: Path, never_stopped: Callable[..., dict[str, Any]]
) -> None:
    folder = start(tmp_path / "run", {**run_data("pr_fast"), "seed": 4})
    go_on(folder)
    assert differences(outcome(folder), never_stopped("pr_fast")) != []


def test_stages_have_random_streams_of_their_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stage that drew from the same streams as the one before would play the same games again."""
    seen: list[Tensor] = []

    def watched(learner: Learner) -> None:
        on_fit_start(learner)
        seen.append(learner._playing._generators["environment"].get_state())

    on_fit_start = Learner.on_fit_start
    monkeypatch.setattr(Learner, "on_fit_start", watched)
    go_on(start(tmp_path / "run", run_data()))
    assert len(seen) == 2
    assert not torch.equal(*seen)


def test_half_written_metrics_are_healed(
    tmp_path: Path, never_stopped: Callable[..., dict[str, Any]]
) -> None:
    folder = start(tmp_path / "run", run_data("pr_fast"))
    with crash_at(Learner, "training_step", 6, after=False), pytest.raises(CrashError):
        go_on(folder)
    with folder.metrics.open("ab") as file:
        file.write(b"4,64,0,0.2")
    go_on(folder)
    assert differences(outcome(folder), never_stopped("pr_fast")) == []


def test_rewriting_metrics_loses_nothing(tmp_path: Path) -> None:
    """A crash while the file is rewritten, as at every resume, must leave the lines of before."""
    path = tmp_path / "metrics.csv"
    metrics = MetricsFile(path)
    metrics.log_metrics({"one": 1.0}, 0)
    before = path.read_bytes()
    with crash_at(Path, "replace", 1), pytest.raises(CrashError):
        MetricsFile(path, 0)
    with crash_at(Path, "replace", 1), pytest.raises(CrashError):
        metrics.log_metrics({"two": 2.0}, 1)
    assert path.read_bytes() == before


def test_resuming_a_finished_run_changes_nothing(tmp_path: Path) -> None:
    folder = start(tmp_path / "run", run_data(tensorboard=True))
    go_on(folder)
    before = {
        path: path.read_bytes() for path in folder.path.rglob("*") if path.is_file()
    }
    with crash_at(Trainer, "fit", 1):  # nothing is left to fit
        go_on(folder)
    assert {
        path: path.read_bytes() for path in folder.path.rglob("*") if path.is_file()
    } == before


def test_tensorboard_shows_every_update_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Files of one second and one process are read in the order of their last number: as text, 10
    # before 9.
    monkeypatch.setattr(
        event_file_writer, "_global_uid", event_file_writer.AtomicCounter(0)
    )
    crashes = [(Learner, "training_step", call, True) for call in (2, 5, 6)]
    folder = interrupted(tmp_path / "run", run_data(tensorboard=True), *crashes)
    events = EventAccumulator(str(folder.path / "tensorboard"))
    events.Reload()
    rows = read_metrics(folder.metrics)
    tags = {
        "training_return": "train/return",
        "exact/return": "evaluation/exact/return",
        "coupling/in resonance": "coupling/in resonance",
    }
    for name, tag in tags.items():
        measured = [row for row in rows if name in row]
        found = events.Scalars(tag)
        assert [event.step for event in found] == [
            int(row["episodes"]) for row in measured
        ]
        values = [float(row[name]) for row in measured]
        assert [event.value for event in found] == pytest.approx(values)


@pytest.mark.parametrize("precision", ["64-true", "bf16-mixed", "bf16-true"])
def test_other_precisions_resume_exactly_too(precision: str, tmp_path: Path) -> None:
    data = run_data(precision=precision)
    whole = interrupted(tmp_path / "whole", data)
    parts = interrupted(
        tmp_path / "parts",
        data,
        (Learner, "training_step", 5, True),
        (Learner, "training_step", 8, True),
    )
    assert differences(outcome(parts), outcome(whole)) == []
    weights = outcome(whole)["checkpoint"]["state_dict"]["host.head.layers.0.weight"]
    expected = {
        "64-true": torch.float64,
        "bf16-mixed": torch.float32,
        "bf16-true": torch.bfloat16,
    }
    assert weights.dtype == expected[precision]


@pytest.mark.parametrize("precision", ["64-true", "bf16-mixed", "bf16-true"])
def test_other_precisions_resume_exactly_off_policy_too(
    precision: str, tmp_path: Path
) -> None:
    data = run_data(precision=precision, host="qmix")
    whole = interrupted(tmp_path / "whole", data)
    crashes = [(Learner, "training_step", call, True) for call in (5, 8)]
    parts = interrupted(tmp_path / "parts", data, *crashes)
    assert differences(outcome(parts), outcome(whole)) == []


def test_a_resumed_run_keeps_the_same_policies(tmp_path: Path) -> None:
    """A file for each evaluation: those that a killed process wrote after its last checkpoint are
    written anew.
    """
    data = run_data(record_policies=True, host="qmix")
    whole = interrupted(tmp_path / "whole", data)
    crashes = [(Learner, "training_step", call, True) for call in (1, 5, 3, 5)]
    parts = interrupted(tmp_path / "parts", data, *crashes)
    kept = [
        {file.name: file.read_bytes() for file in folder.policies_folder.iterdir()}
        for folder in (whole, parts)
    ]
    assert kept[0] == kept[1]
    assert len(kept[0]) == 5
    assert len(set(kept[0].values())) == 5


@pytest.mark.slow
def test_compiled_runs_resume_exactly(tmp_path: Path) -> None:
    data = run_data(compile=True)
    whole = interrupted(tmp_path / "whole", data)
    crashes = [(Learner, "training_step", call, True) for call in (5, 8)]
    parts = interrupted(tmp_path / "parts", data, *crashes)
    assert differences(outcome(parts), outcome(whole)) == []


def test_a_half_made_folder_can_be_used(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A kill before config.yaml exists leaves no run: there is nothing to resume, and nothing in
    the way.
    """
    with crash_at(run_folder, "dump_run", 1), pytest.raises(CrashError):
        start(tmp_path / "run", run_data())
    assert (
        list((tmp_path / "run").iterdir()) == []
    )  # a failure tidies up; a kill cannot
    (tmp_path / "run" / "checkpoints").mkdir()
    (tmp_path / "run" / "versions.json").write_text("{}")
    assert marl("resume", str(tmp_path / "run")) == 2
    assert "no run here" in capsys.readouterr().err
    go_on(start(tmp_path / "run", run_data()))


def test_a_checkpoint_without_its_config_is_no_run(tmp_path: Path) -> None:
    folder = start(tmp_path / "run", run_data())
    go_on(folder)
    folder.config_file.unlink()
    with pytest.raises(UserError, match=r"no config\.yaml"):
        start(tmp_path / "run", run_data())


@pytest.mark.parametrize("content", [b"", b"no checkpoint", b"PK\x03\x04"])
def test_broken_checkpoints_are_refused(content: bytes, tmp_path: Path) -> None:
    folder = start(tmp_path / "run", run_data())
    folder.checkpoint.write_bytes(content)
    with pytest.raises(UserError, match="no checkpoint of a run"):
        go_on(folder)


def test_another_number_of_processes_is_refused(tmp_path: Path) -> None:
    folder = start(tmp_path / "run", run_data())
    go_on(folder)
    text = folder.config_file.read_text()
    folder.config_file.write_text(text.replace("devices: 1", "devices: 2"))
    with pytest.raises(UserError, match=r"training\.devices"):
        go_on(folder)


def marl(*arguments: str) -> int:
    """The exit status of the command."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.argv", ["marl", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
    assert isinstance(ended.value.code, int)
    return ended.value.code


@pytest.mark.parametrize(
    "override", ["environment.agents=4", "seed=5", "training.episodes_per_update=8"]
)
def test_a_run_goes_on_by_the_config_it_began_with(
    tmp_path: Path, override: str
) -> None:
    folder = start(tmp_path / "run", run_data())
    with crash_at(Learner, "training_step", 5), pytest.raises(CrashError):
        go_on(folder)
    folder.config_file.write_text(dump_run(load_run(folder.config_file, [override])))
    with pytest.raises(
        UserError, match=f"{re.escape(override.split('=')[0])} is not what it was"
    ):
        go_on(folder)


def test_a_finished_run_can_be_given_another_stage(tmp_path: Path) -> None:
    folder = start(tmp_path / "run", run_data())
    go_on(folder)
    data = run_data()
    data["stages"].append({"episodes": 32})
    folder.config_file.write_text(dump_run(RunConfig.model_validate(data)))
    go_on(folder)
    assert outcome(folder)["summary"]["training_episodes"] == sum(
        stage["episodes"] for stage in data["stages"]
    )
