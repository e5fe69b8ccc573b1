"""Does resonance help a value-based host? The paper does not try."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Final, final

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from marl_core.reports.results import RunResult
from marl_pr.paper.algorithms import (
    QMIX,
    QMIX_LESS_EPSILON,
    QMIX_LONGER,
    QMIX_PR,
)
from marl_pr.paper.control_stages import less_epsilon
from marl_pr.paper.drawing import (
    add_figure_legend,
    label_axis,
    mark_optimum,
    team_size_scale,
)
from marl_pr.paper.first_stages import qmix
from marl_pr.paper.interval_bars import bars_of_each, what_bars_show
from marl_pr.paper.item import Item
from marl_pr.paper.labelled_job import LabelledJob, unique
from marl_pr.paper.markdown import interval_cell, markdown_table
from marl_pr.paper.scale import Scale, Seeds
from marl_pr.paper.scores import (
    Reading,
    chance_of_improvement,
    final_responsibility,
    final_return,
    mean_of,
    select,
    values_of,
)
from marl_pr.paper.second_stages import longer, resonant
from marl_pr.paper.shares import mean_share

#: Of the reward at Lv-C, all or nothing in most runs, the interval is that of a share.
_MEANS: Final = ((final_responsibility, mean_share), (final_return, mean_of))
_READINGS: Final[dict[str, Reading]] = {
    "Lv-C": final_responsibility,
    "return": final_return,
}


@final
class ValueResonance(Item):
    """QMIX in resonance against QMIX trained for as long without it."""

    name = "value_resonance"
    title = (
        "Fine-tuned QMIX with and without policy resonance, 1A4B2C (not in the paper)"
    )
    notes = (
        "Resonance couples the epsilon-greedy policies of QMIX: with probability eta the whole "
        "team acts greedily, and every agent explores as often as before. *Less epsilon* is a "
        "control: a second stage with epsilon 0.05 in place of 0.1 and without resonance. All runs "
        "of a team and seed share their first stage. Exact reward of "
        "the greedy team, mean over runs [95 % bootstrap interval; where all runs end at 1.00 at "
        "Lv-C, or all at 0.00, Clopper and Pearson's]. *P(better)*: the probability "
        "that a run with resonance ends higher than one trained for as long without; an interval "
        "that contains 0.5 shows no difference."
    )
    teams: ClassVar[tuple[int, ...]] = (8, 15, 25, 40, 60, 100)
    algorithms: ClassVar[tuple[str, ...]] = (
        QMIX,
        QMIX_LONGER,
        QMIX_LESS_EPSILON,
        QMIX_PR,
    )

    def jobs(self, scale: Scale, seeds: Seeds) -> list[LabelledJob]:
        """Common first stages, each continued without resonance in two ways, and with it.

        Args:
            scale: how much is trained.
            seeds: how many seeds for each host.
        """
        plain = [
            qmix(scale, agents, seed)
            for agents in scale.of(self.teams)
            for seed in range(seeds.qmix)
        ]
        without_resonance = [longer(one, scale) for one in plain]
        controls = [less_epsilon(one, scale) for one in plain]
        resonating = [resonant(one, scale, "pr") for one in plain]
        return unique([*plain, *without_resonance, *controls, *resonating])

    def table(self, results: Sequence[RunResult]) -> str:
        """A row for each team.

        Args:
            results: of the runs that there are.
        """
        header = ["N"]
        for measure in _READINGS:
            header += [f"{measure}, {name}" for name in self.algorithms]
        header += [f"P(better), {measure}" for measure in _READINGS]
        rows = []
        for agents in values_of(results, "agents"):
            cells = self._cells(select(results, agents=agents))
            rows.append([f"{agents:g}", *cells])
        return markdown_table(header, rows)

    def _cells(self, team: Sequence[RunResult]) -> list[str]:
        """The means of one team, and then its probabilities of improvement."""
        intervals = [
            mean(select(team, algorithm=name), reading)
            for reading, mean in _MEANS
            for name in self.algorithms
        ]
        for reading in _READINGS.values():
            resonating = select(team, algorithm=QMIX_PR)
            without_resonance = select(team, algorithm=QMIX_LONGER)
            intervals.append(
                chance_of_improvement(resonating, without_resonance, reading)
            )
        return [interval_cell(interval) for interval in intervals]

    def draw(self, results: Sequence[RunResult]) -> Figure:
        """Lv-C reward and return over N.

        Args:
            results: of the runs that there are.
        """
        figure = Figure(figsize=(10, 4), layout="constrained")
        axes: list[Axes] = list(figure.subplots(1, 2))
        labels = ("final Lv-C reward", "final return")
        for axis, label, reading in zip(axes, labels, _READINGS.values(), strict=True):
            label_axis(axis, "", label)
            bars_of_each(axis, results, self.algorithms, "agents", reading)
            team_size_scale(axis, values_of(results, "agents"))
        mark_optimum(axes[1])
        add_figure_legend(
            figure,
            axes[1],
            location="outside upper left",
            columns=4,
            title=what_bars_show(results),
        )
        return figure
