"""Fig. 1: how the preference of each agent for the majority's action develops."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import ClassVar, final

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from marl_core.reports.labels import Label
from marl_core.reports.results import RunResult
from marl_core.runs.folder import RunFolder
from marl_envs.fme.config import FMEConfig, ResponsibilityLevel
from marl_pr.paper.experiments import ppo_ma
from marl_pr.paper.item import Item, LabelledJob
from marl_pr.paper.markdown import markdown_table, number_cell
from marl_pr.paper.scale import Scale, Seeds


def preference(
    policies: Float[np.ndarray, "*B N A"], action: int
) -> Float[np.ndarray, "*B N"]:
    """f(pi_i) = pi_i(u) - 1/N sum_j pi_j(u): each agent's preference for ``action`` against the team's average."""
    chosen = policies[..., action]
    return chosen - chosen.mean(-1, keepdims=True)


def last_responsibility_level(task: FMEConfig) -> tuple[int, ResponsibilityLevel]:
    """The last Lv-C level of a task that has one, and its place."""
    levels = enumerate(task.resolved_levels())
    return [
        (place, level)
        for place, level in levels
        if isinstance(level, ResponsibilityLevel)
    ][-1]


@final
class Fig1(Item):
    """Six runs of PPO-MA, agent by agent."""

    name = "fig1"
    title = "Fig. 1: preference of every agent for u_gamma at the last Lv-C level of 1A4B2C, PPO-MA"
    notes = (
        "f(pi_i) = pi_i(u_gamma) - mean_j pi_j(u_gamma). The paper does not say which runs it shows; these are the"
        " first seeds, whatever they show. An agent *stands aside* when its f ends at least 0.5 below the average."
    )
    #: N and seed of the six runs.
    runs: ClassVar[tuple[tuple[int, int], ...]] = (
        (3, 0),
        (5, 0),
        (5, 1),
        (6, 0),
        (6, 1),
        (7, 0),
    )

    def jobs(self, scale: Scale, seeds: Seeds) -> list[LabelledJob]:
        """The six runs, however many seeds other items have."""
        return [ppo_ma(scale, agents, seed) for agents, seed in self.runs]

    def read(self, folder: RunFolder, labels: Mapping[str, Label]) -> RunResult:
        """With the metrics ``preference/1`` to ``preference/N``."""
        result = super().read(folder, labels)
        task = folder.load_config().environment
        assert isinstance(task, FMEConfig)
        place, level = last_responsibility_level(task)
        kept = dict(folder.policies())
        table = np.stack(
            [
                preference(kept[int(episodes)][place], level.action)
                for episodes in result.episodes
            ]
        )
        agents = {
            f"preference/{agent + 1}": tuple(map(float, table[:, agent]))
            for agent in range(table.shape[1])
        }
        return replace(result, metrics={**result.metrics, **agents})

    def table(self, results: Sequence[RunResult]) -> str:
        """A row for each run."""
        rows = []
        for run in _ordered(results):
            final = [run.final(name) for name in _preferences(run)]
            aside = sum(value <= -0.5 for value in final)
            numbers = [
                number_cell(value)
                for value in (min(final), max(final), run.final("exact/C2"))
            ]
            rows.append(
                [f"N = {run.labels['agents']}, seed {run.seed}", str(aside), *numbers]
            )
        return markdown_table(
            ["run", "agents that stand aside", "least f", "greatest f", "final reward"],
            rows,
        )

    def draw(self, results: Sequence[RunResult]) -> Figure:
        """Two rows of three, a line for each agent."""
        figure = Figure(figsize=(10, 5.5), layout="constrained")
        axes: list[Axes] = list(figure.subplots(2, 3, sharex=True, sharey=True).flat)
        for axis, run in zip(axes, _ordered(results), strict=False):
            for name in _preferences(run):
                axis.plot(run.episodes, run.metrics[name], linewidth=1)
            axis.set_title(f"N = {run.labels['agents']}, seed {run.seed}")
            axis.grid(alpha=0.3)
        for axis in axes[3:]:
            axis.set_xlabel("episodes")
            axis.xaxis.set_major_locator(MaxNLocator(3))
        for axis in axes[::3]:
            axis.set_ylabel("preference f for $u_\\gamma$")
        return figure


def _ordered(results: Sequence[RunResult]) -> list[RunResult]:
    return sorted(results, key=lambda run: (int(run.labels["agents"]), run.seed))


def _preferences(run: RunResult) -> list[str]:
    return [f"preference/{agent + 1}" for agent in range(int(run.labels["agents"]))]
