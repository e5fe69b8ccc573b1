"""A sweep of 500 jobs on two workers, a tenth of which end in every way that a run can end."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest

from marl_core.config.run import RunConfig
from marl_core.registry import look_for_modules_in
from marl_core.sweep import Job, run_sweep
from tests.support.runs import run_data
from tests.support.sweeps import MORTAL

pytestmark = pytest.mark.slow

JOBS = 500
#: Every tenth job crashes, in these ways by turns; the last two end their worker, too.
WAYS = ("raise", "sys.exit", "exit", "kill")
MEGABYTE = 2**20
SECONDS_BETWEEN_LOOKS = 0.2
#: The sweep's own process, and each worker: torch alone takes some 300 MB.
MOST_MEMORY = 900 * MEGABYTE
#: Beyond those that the process had: two pipes and two sentinels a worker, files being read.
MOST_DESCRIPTORS = 16
#: Of a finished run: config, versions, lock, metrics, checkpoints, summary ...
MOST_FILES = 12


@dataclass
class Watched:
    """The most that was seen of what a sweep holds."""

    descriptors: int = 0
    processes: int = 0
    memory_of_workers: int = 0
    growth: list[int] = field(default_factory=list)

    def look(self) -> None:
        me = psutil.Process()
        self.descriptors = max(self.descriptors, me.num_fds())
        self.growth.append(me.memory_info().rss)
        used: list[int] = []
        for worker in me.children():
            with suppress(psutil.NoSuchProcess):
                used.append(worker.memory_info().rss)
        # One that has died has no memory, until the sweep has heard of it.
        alive = [memory for memory in used if memory > 0]
        self.processes = max(self.processes, len(alive))
        self.memory_of_workers = max(self.memory_of_workers, *alive, 0)


@contextmanager
def watched() -> Iterator[Watched]:
    seen, over = Watched(), threading.Event()

    def watch() -> None:
        while not over.wait(SECONDS_BETWEEN_LOOKS):
            seen.look()

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield seen
    finally:
        over.set()
        thread.join()


def _jobs(folder: Path) -> tuple[list[Job], set[str]]:
    """The jobs, and the names of those that crash until there is a file ``healed``."""
    (folder / "mortal.py").write_text(MORTAL)
    look_for_modules_in(str(folder))
    data = run_data()
    data["stages"] = [{"episodes": 16}]
    jobs: list[Job] = []
    mortal: set[str] = set()
    for number in range(JOBS):
        own = {**data, "seed": number}
        if number % 10 == 3:
            own["environment"] = {
                "name": "mortal:Mortal",
                "end": WAYS[number // 10 % len(WAYS)],
                "unless": str(folder / "healed"),
                "tag": "1A1B1C",
                "agents": 5,
            }
            mortal.add(f"job{number}")
        jobs.append(Job(f"job{number}", RunConfig.model_validate(own)))
    return jobs, mortal


def _finished(folder: Path) -> dict[str, int]:
    return {
        path.parent.name: path.stat().st_mtime_ns
        for path in folder.glob("*/summary.json")
    }


def test_five_hundred_jobs_of_which_a_tenth_crash(tmp_path: Path) -> None:
    jobs, mortal = _jobs(tmp_path)
    names = {job.name for job in jobs}
    folder = tmp_path / "sweep"
    descriptors = psutil.Process().num_fds()

    with watched() as seen:
        failures = run_sweep(jobs, folder, workers=2, show_progress=False)

    assert set(failures) == mortal
    assert len(mortal) == JOBS // 10
    for name, reason in failures.items():
        assert reason.count("\n") == 0
        way = WAYS[int(name.removeprefix("job")) // 10 % len(WAYS)]
        if way == "kill":
            assert "SIGKILL" in reason
    done = _finished(folder)
    assert set(done) == names - mortal

    # What it takes does not grow with the number of jobs.
    assert seen.processes <= 3  # two workers, and Python's own tracker of resources
    assert seen.descriptors <= descriptors + MOST_DESCRIPTORS
    assert max(seen.growth) - seen.growth[0] < 100 * MEGABYTE
    assert seen.memory_of_workers < MOST_MEMORY
    for path in folder.iterdir():
        assert sum(file.is_file() for file in path.rglob("*")) <= MOST_FILES
    # One belongs to Python's tracker of resources.
    assert psutil.Process().num_fds() <= descriptors + 1

    # The same call again works on those that failed, and on no others.
    (tmp_path / "healed").touch()
    assert run_sweep(jobs, folder, workers=2, show_progress=False) == {}
    again = _finished(folder)
    assert set(again) == names
    assert {name: again[name] for name in done} == done
    assert not list(folder.rglob("error.txt"))
