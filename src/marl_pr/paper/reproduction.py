"""From an item to its folder: train what is missing, read all runs, write table, figure and data."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from marl_core.errors import UserError
from marl_core.reports.marl_eval_file import write_marl_eval
from marl_core.reports.results import RunResult
from marl_core.reports.tidy_file import write_tidy
from marl_core.runs.folder import RunFolder
from marl_core.runs.whole_writes import create_output_folder, write_output
from marl_core.sweep import run_sweep
from marl_pr.paper.drawing import save_figure
from marl_pr.paper.item import Item, LabelledJob
from marl_pr.paper.scale import Scale, Seeds

Backend = Literal["local", "ray"]


@dataclass(frozen=True)
class Reproduction:
    """How items are made.

    Attributes:
        scale: how much is trained.
        seeds: how many for each host; None: what the scale or else the item asks for.
        runs: all run folders go below ``runs/SCALE``, where items find each other's.
        out: ``OUT/ITEM`` gets the results.
        backend: of the sweep.
        workers: of the sweep.
        show_progress: on standard error; failures, too, as they come.
    """

    scale: Scale
    seeds: int | None
    runs: Path
    out: Path
    backend: Backend = "local"
    workers: int = 1
    show_progress: bool = True

    def make(self, item: Item) -> dict[str, str]:
        """Train what is not trained, and write the item's folder from the runs that there are.

        Returns:
            The runs that failed, and why.
        """
        jobs = item.jobs(self.scale, self._seeds(item))
        folder, out = self.runs / self.scale.name, self.out / item.name
        # Created now, because the training may take hours.
        create_output_folder(out, "folder of results")
        failures = run_sweep(
            [one.job for one in jobs],
            folder,
            backend=self.backend,
            workers=self.workers,
            show_progress=self.show_progress,
        )
        results, unread = _read(item, jobs, folder, failures)
        if self.show_progress:  # of the others the sweep has told
            for name, line in unread.items():
                print(f"{name}: {line}", file=sys.stderr)
        failures = {**failures, **unread}
        page = self._page(item, jobs, results, failures)
        write_tidy(results, out / "results.csv")
        write_marl_eval(results, out / "results.json")
        write_output(out / "table.md", page.encode(), "table")
        save_figure(item.draw(results), out)
        return failures

    def _seeds(self, item: Item) -> Seeds:
        if self.seeds is not None:
            return Seeds(self.seeds, self.seeds, self.seeds)
        return self.scale.seeds or item.default_seeds

    def _page(
        self,
        item: Item,
        jobs: Sequence[LabelledJob],
        results: Sequence[RunResult],
        failures: Mapping[str, str],
    ) -> str:
        """``table.md``. Nothing in it depends on how the runs came about."""
        chosen = "" if self.seeds is None else f" --seeds {self.seeds}"
        failed = "".join(
            f"- {name}: {line}\n" for name, line in sorted(failures.items())
        )
        return "\n".join(
            [
                f"# {item.title}\n",
                f"    marl reproduce {item.name} --scale {self.scale.name}{chosen}\n",
                f"Episodes: {_lengths_of(jobs)}. Seeds: {_seeds_of(jobs)}. Runs: {len(results)} of {len(jobs)}.\n",
                *(
                    [f"**Missing, because the run failed:**\n\n{failed}"]
                    if failed
                    else []
                ),
                item.table(results),
                *([f"{item.notes}\n"] if item.notes else []),
            ]
        )


def _lengths_of(jobs: Sequence[LabelledJob]) -> str:
    """Of the stages, as far as runs differ: ``262,144, and 262,144 + 131,072``."""
    lengths = [
        " + ".join(f"{stage.episodes:,}" for stage in one.job.config.stages)
        for one in jobs
    ]
    return ", and ".join(dict.fromkeys(lengths))


def _seeds_of(jobs: Sequence[LabelledJob]) -> str:
    """By host, as far as they differ: ``0 to 7 (ppo_ma), 0 to 4 (qmix)``."""
    by_host: dict[str, int] = {}
    for one in jobs:
        config = one.job.config
        by_host[config.host.name] = max(config.seed, by_host.get(config.host.name, 0))
    return ", ".join(f"0 to {last} ({host})" for host, last in by_host.items())


def _read(
    item: Item, jobs: Sequence[LabelledJob], folder: Path, failures: Mapping[str, str]
) -> tuple[list[RunResult], dict[str, str]]:
    """The results of the runs that did not fail; and which of them cannot be read, and why."""
    results: list[RunResult] = []
    unread: dict[str, str] = {}
    for one in jobs:
        if one.job.name in failures:
            continue
        try:
            results.append(item.read(RunFolder(folder / one.job.name), one.labels))
        except UserError as error:
            unread[one.job.name] = str(error)
    return results, unread
