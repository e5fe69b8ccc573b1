"""From an item to its folder: train what is missing, read all runs, write what they show."""

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
from marl_pr.paper.item import Item
from marl_pr.paper.labelled_job import LabelledJob
from marl_pr.paper.page import page_of
from marl_pr.paper.scale import Scale, Seeds
from marl_pr.paper.taken_runs import as_begun, take_first_stages

Backend = Literal["local", "ray"]

#: From the name of a run to one line that says why it failed.
Failures = dict[str, str]


@dataclass(frozen=True)
class Reproduction:
    """How items are made.

    Args:
        scale: how much is trained.
        seeds: how many for each host; None: as many as the scale or else the item asks for.
        runs: all run folders are in ``runs/SCALE``, where items find each other's runs.
        out: the results of an item go to ``OUT/ITEM``.
        backend: of the sweep.
        workers: how many runs are trained at a time.
        show_progress: on standard error, where failures are told as well, as they come.
    """

    scale: Scale
    seeds: int | None
    runs: Path
    out: Path
    backend: Backend = "local"
    workers: int = 1
    show_progress: bool = True

    def make(self, item: Item) -> Failures:
        """Train what is not trained, and write the item's folder from the runs that there are.

        Args:
            item: what to make.

        Returns:
            The runs that failed, and why.

        Raises:
            UserError: the folder of results cannot be written.
        """
        jobs = as_begun(self._jobs(item), self._folder)
        out = self.out / item.name
        # Created now, because the training may take hours.
        create_output_folder(out, "folder of results")
        failures = dict(self._train(jobs))
        results, unread = self._read(item, jobs, failures)
        failures |= unread
        page = page_of(
            item,
            jobs,
            results,
            failures,
            self._command(item),
            self.scale.warning,
        )
        write_tidy(results, out / "results.csv")
        write_marl_eval(results, out / "results.json")
        write_output(out / "table.md", page.encode(), "table")
        save_figure(item.draw(results), out)
        return failures

    def take(self, items: Sequence[Item], source: Path) -> None:
        """Take finished runs that others have trained as first stages, and say which.

        Args:
            items: what is to be made.
            source: a run folder, or a folder of them.

        Raises:
            UserError: there is no run that can be taken; why not.
        """
        jobs = [one for item in items for one in self._jobs(item)]
        taken = take_first_stages(jobs, source, self._folder)
        if self.show_progress:
            for line in taken:
                print(line, file=sys.stderr)

    def _jobs(self, item: Item) -> list[LabelledJob]:
        return item.jobs(self.scale, self._seeds_of(item))

    @property
    def _folder(self) -> Path:
        """The folder of all run folders."""
        return self.runs / self.scale.name

    def _seeds_of(self, item: Item) -> Seeds:
        if self.seeds is not None:
            return Seeds(self.seeds, self.seeds, self.seeds)
        return self.scale.seeds or item.default_seeds

    def _command(self, item: Item) -> str:
        seeds = "" if self.seeds is None else f" --seeds {self.seeds}"
        given = f" {item.arguments}" if item.arguments else ""
        return f"marl reproduce {item.name}{given} --scale {self.scale.name}{seeds}"

    def _train(self, jobs: Sequence[LabelledJob]) -> Mapping[str, str]:
        return run_sweep(
            [one.job for one in jobs],
            self._folder,
            backend=self.backend,
            workers=self.workers,
            show_progress=self.show_progress,
        )

    def _read(
        self,
        item: Item,
        jobs: Sequence[LabelledJob],
        failures: Mapping[str, str],
    ) -> tuple[list[RunResult], Failures]:
        """The results of the runs that did not fail, and which of these cannot be read."""
        results: list[RunResult] = []
        unread: Failures = {}
        for one in jobs:
            name = one.job.name
            if name in failures:
                continue
            try:
                results.append(item.read(RunFolder(self._folder / name), one.labels))
            except UserError as error:
                unread[name] = str(error)
                self._tell(f"{name}: {error}")
        return results, unread

    def _tell(self, failure: str) -> None:
        """Tell a failure that the sweep has not told."""
        if self.show_progress:
            print(failure, file=sys.stderr)
