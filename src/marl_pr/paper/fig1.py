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

from marl_core.rendering.line_styles import line_style
from marl_core.reports.labels import Label
from marl_core.reports.results import RunResult
from marl_core.runs.folder import RunFolder
from marl_envs.fme.config import FMEConfig, ResponsibilityLevel
from marl_pr.paper.drawing import add_figure_legend
from marl_pr.paper.first_stages import ppo_ma
from marl_pr.paper.item import Item
from marl_pr.paper.labelled_job import LabelledJob
from marl_pr.paper.markdown import markdown_table, number_cell
from marl_pr.paper.scale import Scale, Seeds

#: An agent stands aside when its preference ends at or below this.
_ASIDE = -0.5
_MARKERS_OF_A_LINE = 6


def preference(
    policies: Float[np.ndarray, "*B N A"], action: int
) -> Float[np.ndarray, "*B N"]:
    """f(pi_i) = pi_i(u) - 1/N sum_j pi_j(u): how much an agent prefers u more than its team does.

    Args:
        policies: of every agent, ``[*B, N, A]``.
        action: u.
    """
    chosen = policies[..., action]
    return chosen - chosen.mean(-1, keepdims=True)


def last_responsibility_level(task: FMEConfig) -> tuple[int, ResponsibilityLevel]:
    """The last Lv-C level of a task, and its index.

    Args:
        task: one that has a Lv-C level.

    Raises:
        ValueError: the task has none.
    """
    levels = list(enumerate(task.resolved_levels()))
    for index, level in reversed(levels):
        if isinstance(level, ResponsibilityLevel):
            return index, level
    raise ValueError("the task has no Lv-C level")


@final
class Fig1(Item):
    """Six runs of PPO-MA, agent by agent."""

    name = "fig1"
    title = (
        "Fig. 1: preference of every agent for u_gamma at the last Lv-C level of "
        "1A4B2C, PPO-MA"
    )
    notes = (
        "f(pi_i) = pi_i(u_gamma) - mean_j pi_j(u_gamma). The paper does not say which runs it "
        "shows; these are the first seeds, and were not selected. An agent *stands aside* when "
        "its f ends at least 0.5 below the average."
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
        """The six runs.

        Args:
            scale: how much is trained.
            seeds: makes no difference here.
        """
        return [ppo_ma(scale, agents, seed) for agents, seed in self.runs]

    def read(self, folder: RunFolder, labels: Mapping[str, Label]) -> RunResult:
        """The results of a run, with the metrics ``preference/1`` to ``preference/N``.

        Args:
            folder: of the run, with its recorded policies.
            labels: of the run.

        Raises:
            UserError: the run cannot be read.
        """
        result = super().read(folder, labels)
        task = folder.load_config().environment
        assert isinstance(task, FMEConfig)
        index, level = last_responsibility_level(task)
        kept = dict(folder.policies())
        policies = np.stack([kept[episodes][index] for episodes in result.episodes])
        columns = preference(policies, level.action).T
        measured = {
            _metric(agent): tuple(map(float, column))
            for agent, column in enumerate(columns, 1)
        }
        return replace(result, metrics={**result.metrics, **measured})

    def table(self, results: Sequence[RunResult]) -> str:
        """A row for each run.

        Args:
            results: of the runs that there are.
        """
        header = [
            "run",
            "agents that stand aside",
            "least f",
            "greatest f",
            "final reward",
        ]
        return markdown_table(header, [_row(run) for run in _ordered(results)])

    def draw(self, results: Sequence[RunResult]) -> Figure:
        """Two rows of three plots, in each a line for each agent.

        Args:
            results: of the runs that there are.
        """
        figure = Figure(figsize=(11, 5.5), layout="constrained")
        grid = figure.subplots(2, 3, sharex=True, sharey=True)
        axes: list[Axes] = list(grid.flat)
        for axis, run in zip(axes, _ordered(results), strict=False):
            _draw_run(axis, run)
        for axis in axes[3:]:
            axis.set_xlabel("episodes")
            axis.xaxis.set_major_locator(MaxNLocator(3))
        for axis in axes[::3]:
            axis.set_ylabel("preference f for $u_\\gamma$")
        most_agents = max(axes, key=_number_of_lines)
        add_figure_legend(figure, most_agents, location="outside right upper")
        return figure


def _ordered(results: Sequence[RunResult]) -> list[RunResult]:
    return sorted(results, key=lambda run: (int(run.labels["agents"]), run.seed))


def _title(run: RunResult) -> str:
    return f"N = {run.labels['agents']}, seed {run.seed}"


def _metric(agent: int) -> str:
    """The name of an agent's metric; agents are counted from 1."""
    return f"preference/{agent}"


def _agents(run: RunResult) -> range:
    return range(1, int(run.labels["agents"]) + 1)


def _row(run: RunResult) -> list[str]:
    final = [run.final(_metric(agent)) for agent in _agents(run)]
    aside = sum(value <= _ASIDE for value in final)
    numbers = (min(final), max(final), run.final("exact/C2"))
    return [_title(run), str(aside), *map(number_cell, numbers)]


def _draw_run(axis: Axes, run: RunResult) -> None:
    for agent in _agents(run):
        style = line_style(agent - 1)
        axis.plot(
            run.episodes,
            run.metrics[_metric(agent)],
            label=f"agent {agent}",
            color=style.colour,
            linestyle=style.dashes,
            marker=style.marker,
            markersize=4,
            markevery=max(1, len(run.episodes) // _MARKERS_OF_A_LINE),
            linewidth=1,
        )
    axis.set_title(_title(run))
    axis.grid(alpha=0.3)


def _number_of_lines(axis: Axes) -> int:
    return len(axis.lines)
