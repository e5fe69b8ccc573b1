"""Environments of other libraries, learnt in with and without resonance."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, final

from matplotlib.figure import Figure

from marl_core.base_config import validate_strictly
from marl_core.config.run import RunConfig
from marl_core.evaluation.statistics import Interval
from marl_core.rendering.line_styles import line_style
from marl_core.reports.results import RunResult
from marl_core.sweep import Job
from marl_pr.paper.algorithms import MAPPO, MAPPO_PR
from marl_pr.paper.catalogue import STRANGERS
from marl_pr.paper.drawing import add_figure_legend, label_axis
from marl_pr.paper.item import Item
from marl_pr.paper.labelled_job import LabelledJob
from marl_pr.paper.markdown import interval_cell, markdown_table
from marl_pr.paper.resonance_curves import curve_band
from marl_pr.paper.scale import PAPER, Scale, Seeds
from marl_pr.paper.scores import mean_of, select
from marl_pr.paper.strangers_tasks import TASKS, Task

#: Episodes before an update, and how often a run is evaluated.
_BATCH: Final = 32
_POINTS: Final = 8
_ENTROPY: Final = 0.01
_ETA_MAX: Final = 0.5
_COMPARED: Final = (MAPPO, MAPPO_PR)
#: Plots beside each other in the figure.
_ABREAST: Final = 3
_HOW: Final = ("greedy", "sampled")
#: What the metrics of tasks are called.
_METRICS: Final = {"return": "return", "win_rate": "win rate"}


@final
class Strangers(Item):
    """MAPPO in environments that nobody of this project wrote."""

    name = STRANGERS
    title = "Environments of other libraries, with and without resonance"
    default_seeds = Seeds(ppo_ma=3, qmix=3, conc4hist=3)
    notes = (
        f"MAPPO with its defaults, {_BATCH} episodes an update, entropy coefficient "
        f"{_ENTROPY:g}; with PR, eta rises to {_ETA_MAX:g} in the first half of the run. Nothing "
        "was tuned, and the runs are short: they show that these environments run and are learnt "
        "in, and not how far a longer training would come. Test episodes without resonance: mean "
        "over runs [95 % bootstrap interval over runs]; of three runs, an interval says little. "
        "The figure's bands reach from the lowest run to the highest."
    )

    def jobs(self, scale: Scale, seeds: Seeds) -> list[LabelledJob]:
        """Two runs for each environment and seed.

        Args:
            scale: how much is trained.
            seeds: how many seeds for each host; that of PPO-MA counts.
        """
        return [
            _job(task, algorithm, seed, scale)
            for seed in range(seeds.ppo_ma)
            for task in TASKS
            for algorithm in _COMPARED
        ]

    def table(self, results: Sequence[RunResult]) -> str:
        """A row for each environment.

        Args:
            results: of the runs that there are.
        """
        columns = [f"{name}, {how}" for how in _HOW for name in _COMPARED]
        rows = []
        for task in TASKS:
            runs = select(results, task=task.label)
            if not runs:
                continue
            cells = [
                interval_cell(_mean(runs, task, algorithm, how))
                for how in _HOW
                for algorithm in _COMPARED
            ]
            rows.append([task.label, _METRICS[task.metric], str(len(runs)), *cells])
        return markdown_table(["environment", "shown", "runs", *columns], rows)

    def draw(self, results: Sequence[RunResult]) -> Figure:
        """A plot of the greedy team's learning curves for each environment.

        Args:
            results: of the runs that there are.
        """
        rows = -(-len(TASKS) // _ABREAST)
        figure = Figure(figsize=(4 * _ABREAST, 2.8 * rows), layout="constrained")
        axes = list(figure.subplots(rows, _ABREAST, squeeze=False).flat)
        for axis, task in zip(axes, TASKS, strict=False):
            axis.set_title(task.label, fontsize="small")
            label_axis(axis, "episodes", f"{_METRICS[task.metric]}, greedy")
            for line, algorithm in enumerate(_COMPARED):
                runs = select(results, task=task.label, algorithm=algorithm)
                style = line_style(line)
                curve_band(axis, runs, f"greedy/{task.metric}", algorithm, style)
        add_figure_legend(
            figure,
            axes[0],
            location="outside upper left",
            columns=len(_COMPARED),
        )
        return figure


def _job(task: Task, algorithm: str, seed: int, scale: Scale) -> LabelledJob:
    episodes = _episodes(task, scale)
    exploration: dict[str, Any] = {"name": "entropy_sampling", "coefficient": _ENTROPY}
    labels: dict[str, str | float] = {"task": task.label, "algorithm": algorithm}
    if algorithm == MAPPO_PR:
        labels["eta_max"] = _ETA_MAX
        exploration = {
            "name": "policy_resonance",
            "individual": exploration,
            "eta_max": _ETA_MAX,
            "p_min": task.p_min,
            "ramp_episodes": episodes // 2,
        }
    config = validate_strictly(
        RunConfig,
        {
            "seed": seed,
            "environment": task.environment,
            "host": {"name": "mappo", **task.host},
            "exploration": exploration,
            "stages": [{"episodes": episodes}],
            "training": {
                "episodes_per_update": _BATCH,
                "evaluate_every": max(1, episodes // _BATCH // _POINTS),
                "evaluation_episodes": scale.battles.test,
                "devices": 1,
            },
        },
    )
    words = "".join(one if one.isalnum() else " " for one in task.label).split()
    kind = "pr" if algorithm == MAPPO_PR else "plain"
    name = f"mappo_{kind}-{'_'.join(words)}-seed{seed}"
    return LabelledJob(Job(name, config), labels)


def _episodes(task: Task, scale: Scale) -> int:
    """As many as at paper scale, or a share of them."""
    share = scale.lengths["ppo_ma"].first / PAPER.lengths["ppo_ma"].first
    updates = round(task.episodes * share) // _BATCH
    return max(2, updates) * _BATCH


def _mean(
    runs: Sequence[RunResult], task: Task, algorithm: str, how: str
) -> Interval | None:
    chosen = select(runs, algorithm=algorithm)
    return mean_of(chosen, _final(f"{how}/{task.metric}"))


def _final(metric: str) -> Callable[[RunResult], float]:
    return lambda run: float(run.final(metric))
