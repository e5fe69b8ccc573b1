"""Training runs with the labels that tell them apart."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from marl_core.reports.labels import Label
from marl_core.sweep import Job


@dataclass(frozen=True)
class LabelledJob:
    """A run to train, with labels that tell it apart from the item's other runs.

    A run that several items share has the same labels in all of them.

    Args:
        job: the run's name and config.
        labels: ``algorithm``, ``agents``, ``eta_max`` and so on.
    """

    job: Job
    labels: Mapping[str, Label]


def run_name(
    prefix: str,
    labels: Mapping[str, Label],
    seed: int,
    settings: str = "",
) -> str:
    """The name of a run: ``pr_fast-1A4B2C-N8-eta0.75-pmin0.2-seed3``.

    Args:
        prefix: how it is trained.
        labels: of the run.
        seed: of the run.
        settings: what else tells it apart, with a hyphen before each part.
    """
    return f"{prefix}-{labels['task']}-N{labels['agents']}{settings}-seed{seed}"


def unique(jobs: Iterable[LabelledJob]) -> list[LabelledJob]:
    """The jobs, each name once.

    Args:
        jobs: jobs with equal names are equal.
    """
    by_name = {one.job.name: one for one in jobs}
    return list(by_name.values())
