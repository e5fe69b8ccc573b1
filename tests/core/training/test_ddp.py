"""Two processes that train together, started as users start them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch

from marl_core.config.run import RunConfig
from marl_core.config.yaml_file import dump_run
from marl_core.runs.folder import RunFolder
from marl_core.types import Progress
from tests.support import ddp_steps
from tests.support.places import REPOSITORY, SUPPORT
from tests.support.runs import differences, outcome, run_data

MARL = Path(sys.executable).with_name("marl")


def script(
    *arguments: str | Path, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run a script and, with it, the processes it starts. A minute without end is a hang."""
    return subprocess.run(
        [sys.executable, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=60,
        env={
            **_without_ranks(),
            "PYTHONPATH": os.pathsep.join(
                [str(REPOSITORY), os.environ.get("PYTHONPATH", "")]
            ),
        }
        | environment,
    )


def _without_ranks() -> dict[str, str]:
    mine = (
        "LOCAL_RANK",
        "NODE_RANK",
        "WORLD_SIZE",
        "MASTER_ADDR",
        "MASTER_PORT",
        "MARL_RUN_DIR",
    )
    return {name: value for name, value in os.environ.items() if name not in mine}


def config_file(
    path: Path, updates: tuple[int, int] = (7, 6), host: str = "ppo_ma", **training: Any
) -> Path:
    config = RunConfig.model_validate(
        run_data("pr_fast", updates, host, devices=2, **training)
    )
    path.write_text(dump_run(config))
    return path


@pytest.fixture(scope="module")
def never_stopped(
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[RunFolder, subprocess.CompletedProcess[str]]:
    """A run of two processes that ended undisturbed, and what it printed."""
    path = tmp_path_factory.mktemp("ddp")
    folder = RunFolder(path / "run")
    config = config_file(path / "run.yaml", strategy="ddp", tensorboard=True)
    done = script(MARL, "train", "--config", config, "--run-dir", folder.path)
    assert done.returncode == 0, done.stderr
    return folder, done


def test_only_the_first_rank_speaks(
    never_stopped: tuple[RunFolder, subprocess.CompletedProcess[str]],
) -> None:
    folder, done = never_stopped
    assert done.stdout.count("return") == 1
    assert done.stdout.count("run folder:") == 1
    assert [
        line for line in done.stderr.splitlines() if line and "episodes" not in line
    ] == []
    updates = [
        line.split(",")[0] for line in folder.metrics.read_text().splitlines()[1:]
    ]
    assert updates == [str(update) for update in (0, 2, 4, 5, 6, 7, 8, 10, 12, 13)]
    # One event file for each stage.
    assert len(list((folder.path / "tensorboard").glob("events*"))) == 2


def test_ranks_play_different_games(
    never_stopped: tuple[RunFolder, subprocess.CompletedProcess[str]],
) -> None:
    saved = never_stopped[0].load_checkpoint()
    assert saved is not None
    first, second = saved["marl"]["ranks"]
    assert (
        len(first["environment"]["level"]) == len(second["environment"]["level"]) == 8
    )
    for name in ("environment", "exploration"):
        assert not torch.equal(first["generators"][name], second["generators"][name])
    assert saved["marl"]["progress"]["environment_steps"] == 13 * 16 * 3


def test_crash_of_a_rank_ends_the_run_and_resumes_exactly(
    tmp_path: Path, never_stopped: tuple[RunFolder, subprocess.CompletedProcess[str]]
) -> None:
    """With strategy auto, which is DDP too where there are two devices."""
    config, folder = (
        config_file(tmp_path / "run.yaml", strategy="auto"),
        RunFolder(tmp_path / "run"),
    )
    crashed = script(
        SUPPORT / "marl_that_crashes.py",
        "train",
        "--config",
        config,
        "--run-dir",
        folder.path,
        CRASH="1:10",
    )
    assert crashed.returncode != 0
    assert "rank 1 crashes on purpose" in crashed.stderr
    assert "process group was left behind" not in crashed.stderr
    resumed = script(MARL, "resume", folder.path)
    assert resumed.returncode == 0, resumed.stderr
    assert differences(outcome(folder), outcome(never_stopped[0])) == []


def test_control_c_ends_all_ranks_between_two_updates(tmp_path: Path) -> None:
    """As a terminal sends it, to every process: a rank that ended alone would leave the other
    waiting for it.
    """
    config, folder = (
        config_file(tmp_path / "run.yaml", (3000, 3000), strategy="ddp"),
        RunFolder(tmp_path / "run"),
    )
    with subprocess.Popen(
        [sys.executable, MARL, "train", "--config", config, "--run-dir", folder.path],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env=_without_ranks(),
    ) as process:
        try:
            until = time.monotonic() + 60
            while not folder.checkpoint.exists() and time.monotonic() < until:
                time.sleep(0.02)
            os.killpg(process.pid, signal.SIGINT)
            out, err = process.communicate(timeout=30)
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
    assert process.returncode == 130, err
    assert out == ""
    messages = [line for line in err.splitlines() if line and "episodes" not in line]
    assert len(messages) == 1, err
    assert messages[0].startswith("marl: interrupted")


@pytest.mark.parametrize(
    "host",
    # That off-policy ranks learn together is shown by the test of their games, too.
    [
        "ppo_ma",
        *(pytest.param(x, marks=pytest.mark.slow) for x in ("qmix", "conc4hist")),
    ],
)
def test_ranks_with_shares_of_the_games_learn_what_one_with_all_does(
    tmp_path: Path, host: str
) -> None:
    """Same advantages, same early stops, same steps: all that steers learning is reduced over the
    ranks.
    """
    alone, together = RunFolder(tmp_path / "alone"), RunFolder(tmp_path / "together")
    alone.create(ddp_steps.config(1, host))
    ddp_steps.train_by_given_rollouts(alone, alone.load_config())
    done = script(SUPPORT / "ddp_steps.py", together.path, "2", host)
    assert done.returncode == 0, done.stderr
    one, two = alone.load_checkpoint(), together.load_checkpoint()
    assert one is not None
    assert two is not None
    assert len(two["marl"]["ranks"]) == 2
    for mine, other in zip(
        one["optimizer_states"][0]["state"].values(),
        two["optimizer_states"][0]["state"].values(),
        strict=True,
    ):
        if host == "ppo_ma":
            assert 2 < mine["step"] < 2 * 24, "no pass ended early"
        assert mine["step"] == other["step"]
    for name, value in one["state_dict"].items():
        torch.testing.assert_close(
            two["state_dict"][name], value, rtol=1e-3, atol=1e-5, msg=name
        )
    # Each process holds the whole of it, to the last bit.
    ends = [
        torch.load(together.path / f"rank{rank}.pt", weights_only=True)
        for rank in range(2)
    ]
    assert differences(ends[0], ends[1]) == []
    assert (
        differences(
            {f"host.{name}": value for name, value in ends[0].items()},
            dict(two["state_dict"]),
        )
        == []
    )


def test_games_of_which_two_ranks_learn_are_not_equally_long() -> None:
    """Else a mean of the ranks' means would pass for the mean over all steps."""
    run = ddp_steps.config(1, "qmix")
    rollout = ddp_steps.rollout_of_all(run, Progress())
    steps = [int(ddp_steps.share(rollout, rank, 2).valid.sum()) for rank in range(2)]
    assert abs(steps[0] - steps[1]) > 2


def off_policy_run(path: Path, updates: tuple[int, int]) -> tuple[Path, RunFolder]:
    """A config and its finished run."""
    folder = RunFolder(path / "whole")
    config = config_file(path / "run.yaml", updates, host="qmix")
    done = script(MARL, "train", "--config", config, "--run-dir", folder.path)
    assert done.returncode == 0, done.stderr
    return config, folder


def test_off_policy_ranks_keep_games_of_their_own(tmp_path: Path) -> None:
    _, whole = off_policy_run(tmp_path, (3, 3))
    saved = whole.load_checkpoint()
    assert saved is not None
    first, second = (own["replay"]["stored"] for own in saved["marl"]["ranks"])
    assert first["actions"].shape == second["actions"].shape == (20, 3, 5)
    # Not game by game: in resonance the greedy joint action is played over and over.
    assert not torch.equal(first["actions"], second["actions"])
    generators = [own["generators"]["replay"] for own in saved["marl"]["ranks"]]
    assert not torch.equal(*generators)


@pytest.mark.slow
def test_crash_of_an_off_policy_rank_resumes_exactly(tmp_path: Path) -> None:
    config, whole = off_policy_run(tmp_path, (7, 6))
    folder = RunFolder(tmp_path / "run")
    crashed = script(
        SUPPORT / "marl_that_crashes.py",
        "train",
        "--config",
        config,
        "--run-dir",
        folder.path,
        CRASH="1:11:KILL",
    )
    assert crashed.returncode == 1
    lines = [line for line in crashed.stderr.splitlines() if "episodes" not in line]
    assert len(lines) == 1, crashed.stderr
    assert lines[0].startswith("marl: rank 1 was killed by SIGKILL")
    resumed = script(MARL, "resume", folder.path)
    assert resumed.returncode == 0, resumed.stderr
    assert differences(outcome(folder), outcome(whole)) == []
