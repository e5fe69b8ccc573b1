"""What a sweep refuses, and in which order it works."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marl_core.config.run import RunConfig
from marl_core.errors import UserError
from marl_core.runs.folder import RunFolder
from marl_core.sweep import Job, run_sweep
from marl_core.sweep import run as run_module
from marl_core.sweep.jobs import checked, is_begun, is_done
from marl_core.sweep.pool import Pool
from marl_core.sweep.progress import SweepProgress
from marl_core.sweep.schedule import Schedule
from marl_core.sweep.work import Task
from tests.support.runs import run_data
from tests.support.sweeps import chain, config


@pytest.mark.parametrize(
    "name",
    [
        *["", ".", "..", "/tmp/x", "a/../b", "../a", "a/", "a//b", "./a"],
        *["a\0b", "a\nb", "\x1b[31m", "\ud800", "\u202ea", "a\x9b", "x" * 2001],
    ],
)
def test_names_are_folders_below(name: str) -> None:
    with pytest.raises(UserError, match="a job's name is a folder's"):
        checked([Job(name, config())])


def test_equal_jobs_are_one() -> None:
    assert list(checked([Job("a", config()), Job("a", config())])) == ["a"]
    with pytest.raises(
        UserError, match="job 'a': two jobs have this name, and their configs differ"
    ):
        checked([Job("a", config()), Job("a", config(seed=4))])
    with pytest.raises(UserError, match="and their weights differ"):
        checked([Job("a", config()), Job("a", config(), weights=Path("w.pt"))])


def test_what_continues_a_run_has_its_weights() -> None:
    second = Job("b", config(stages=2), continues="a", weights=Path("w.pt"))
    with pytest.raises(UserError, match="cannot begin with weights of a file"):
        checked([Job("a", config()), second])


def test_a_run_inside_of_a_run_is_refused() -> None:
    assert list(checked([Job("x/a", config()), Job("x/b", config())])) == ["x/a", "x/b"]
    with pytest.raises(
        UserError, match="job 'a/checkpoints': its folder would be inside of job 'a'"
    ):
        checked([Job("a/checkpoints", config()), Job("a", config())])


def test_several_processes_for_a_run_are_refused() -> None:
    with pytest.raises(UserError, match=r"job 'a': training\.devices"):
        checked([Job("a", config(devices=2))])


CONTINUATIONS: dict[str, tuple[RunConfig, str, str]] = {
    "not there": (
        config(stages=2),
        "aa",
        "'aa', which is not in the sweep, did you mean 'a'?",
    ),
    "no longer": (config(), "a", "no more stages"),
    "another seed": (config(seed=4, stages=2), "a", "differ in more than"),
    "another log": (config(stages=2, log_every=1), "a", "differ in more than"),
    "other stages": (config(stages=2, updates=2), "a", "differ in more than"),
}


@pytest.mark.parametrize("case", CONTINUATIONS)
def test_continuations_that_would_not_be_the_same_run(case: str) -> None:
    later, continues, message = CONTINUATIONS[case]
    with pytest.raises(UserError, match="job 'b': it continues") as refused:
        checked([Job("a", config()), Job("b", later, continues)])
    assert message in str(refused.value)


def made(path: Path, run: RunConfig, episodes: int | None) -> RunFolder:
    """A run folder as far as a sweep looks before it starts."""
    folder = RunFolder(path)
    folder.create(run)
    if episodes is not None:
        folder.write_summary({"training_episodes": episodes})
    return folder


def test_what_is_done(tmp_path: Path) -> None:
    one = config()
    assert not is_begun(one, RunFolder(tmp_path / "none"))
    assert is_begun(one, made(tmp_path / "begun", one, None))
    assert not is_done(one, RunFolder(tmp_path / "begun"))
    assert not is_done(one, made(tmp_path / "partly", one, one.episodes - 16))
    assert is_done(one, made(tmp_path / "done", one, one.episodes))
    for content in (b"", b"[]", b"{}", b"3"):
        (tmp_path / "done" / "summary.json").write_bytes(content)
        assert not is_done(one, RunFolder(tmp_path / "done"))


def test_done_sweeps_start_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs = chain(3)
    for job in jobs:
        made(tmp_path / job.name, job.config, job.config.episodes)
    monkeypatch.setattr(run_module, "_pool", None)  # cannot be called
    assert run_sweep(jobs, tmp_path) == {}


@pytest.mark.parametrize(
    ("other", "key"),
    [
        (config(seed=4), "seed"),
        (config(stages=2), "stages"),
        (config(updates=4), "stages.0.episodes"),
    ],
)
def test_another_experiment_in_the_folder_is_refused(
    other: RunConfig, key: str, tmp_path: Path
) -> None:
    made(tmp_path / "a", other, other.episodes)
    with pytest.raises(UserError, match="another experiment's run is here") as refused:
        run_sweep([Job("b", config()), Job("a", config())], tmp_path)
    assert "\n" not in str(refused.value)
    assert f"its {key} is not what this sweep asks for" in str(refused.value)
    assert "checkpoint" not in str(refused.value)
    assert not (tmp_path / "b").exists()


def test_how_it_is_watched_may_differ(tmp_path: Path) -> None:
    folder = made(tmp_path / "a", config(), None)
    assert is_begun(
        config(
            log_every=1,
            evaluate_every=1,
            checkpoint_every=1,
            threads=2,
            tensorboard=True,
        ),
        folder,
    )


def test_bad_numbers_of_workers(tmp_path: Path) -> None:
    for workers in (0, -1, 10**6):
        with pytest.raises(UserError, match=f"workers: {workers}, where 1 to 1024"):
            run_sweep([Job("a", config())], tmp_path, workers=workers)


class PretendedPool(Pool):
    """Works on nothing; what fails, and in which order jobs end, is drawn."""

    def __init__(
        self, room: int, failing: set[str], draw: Callable[[list[str]], str]
    ) -> None:
        self._room, self._failing, self._draw = room, failing, draw
        self.running: list[str] = []
        self.submitted: list[str] = []
        self.ended: list[str] = []
        self.origins: dict[str, tuple[str | None, list[str]]] = {}

    def has_room(self) -> bool:
        return len(self.running) < self._room

    def submit(self, name: str, task: Task) -> None:
        assert self.has_room()
        assert json.loads(json.dumps(task.config)) == task.config
        self.running.append(name)
        self.submitted.append(name)
        self.origins[name] = (task.continues, list(self.ended))

    def finished(self, timeout: float) -> dict[str, str | None]:
        assert self.running
        name = self._draw(self.running)
        self.running.remove(name)
        if name in self._failing:
            return {name: "drawn"}
        self.ended.append(name)
        return {name: None}

    def close(self) -> None:
        """Nothing is left to end."""


LONGEST = RunConfig.model_validate(
    {**run_data(), "stages": [{"episodes": 16 * count} for count in range(1, 6)]}
)


@st.composite
def forests(draw: Any) -> list[Job]:
    """Jobs of one experiment, each of which may continue any that is shorter; in any order."""
    jobs: list[Job] = []
    for index in range(draw(st.integers(1, 9))):
        length = draw(st.integers(1, 5))
        shorter = [job.name for job in jobs if len(job.config.stages) < length]
        continues = draw(st.none() | st.sampled_from(shorter)) if shorter else None
        run = LONGEST.model_copy(update={"stages": LONGEST.stages[:length]})
        jobs.append(Job(f"job{index}", run, continues))
    return list(draw(st.permutations(jobs)))


@given(st.data(), forests(), st.integers(1, 4))
def test_every_job_runs_once_and_after_what_it_continues(
    data: st.DataObject, jobs: list[Job], room: int
) -> None:
    names = [job.name for job in jobs]
    failing = set(data.draw(st.lists(st.sampled_from(names), unique=True)))
    pool = PretendedPool(
        room, failing, lambda running: data.draw(st.sampled_from(running))
    )
    sweep = Schedule(checked(jobs), Path("/nowhere"))
    sweep.run(pool, SweepProgress(sweep.weights(), (), shown=False))

    def lost(job: Job) -> bool:
        return job.continues is not None and (
            job.continues in failing or lost(by_name[job.continues])
        )

    by_name = {job.name: job for job in jobs}
    assert sorted(pool.submitted) == sorted(job.name for job in jobs if not lost(job))
    assert sweep.done == set(pool.submitted) - failing
    assert set(sweep.failures) == set(names) - sweep.done
    for job in jobs:
        if lost(job):
            assert (
                sweep.failures[job.name]
                == f"it continues '{job.continues}', which failed"
            )
        elif job.continues is not None:
            path, before = pool.origins[job.name]
            assert path == f"/nowhere/{job.continues}"
            assert job.continues in before


def test_time_is_weighed_by_environment_steps() -> None:
    sweep = Schedule(checked(chain(3, updates=3)), Path("/nowhere"))
    assert sweep.weights() == {"one-3": 3 * 48, "two-3": 3 * 48}
