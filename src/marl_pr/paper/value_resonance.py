"""Does resonance help a value-based host? The paper does not try."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, final

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from marl_core.reports.results import RunResult
from marl_pr.paper.drawing import (
    add_legend,
    bars_of_each,
    mark_optimum,
    team_size_scale,
)
from marl_pr.paper.experiments import (
    QMIX,
    QMIX_LONGER,
    QMIX_PR,
    longer,
    qmix,
    resonant,
    unique,
)
from marl_pr.paper.item import Item, LabelledJob
from marl_pr.paper.markdown import interval_cell, markdown_table
from marl_pr.paper.scale import Scale, Seeds
from marl_pr.paper.scores import (
    chance_of_improvement,
    final_responsibility,
    final_return,
    mean_of,
    select,
    values_of,
)


@final
class ValueResonance(Item):
    """QMIX in resonance against QMIX trained as long without it."""

    name = "value_resonance"
    title = (
        "Fine-tuned QMIX with and without policy resonance, 1A4B2C (not in the paper)"
    )
    notes = (
        "Resonance couples the epsilon-greedy policies of QMIX: with probability eta the whole team acts greedily. All"
        " runs of a team and seed share their first stage. Exact reward of the greedy team, mean over runs [95 %"
        " bootstrap interval]. *P(better)*: the probability that a run with resonance ends higher than one trained as"
        " long without; an interval that contains 0.5 shows no difference."
    )
    teams: ClassVar[tuple[int, ...]] = (8, 15, 25, 40)
    algorithms: ClassVar[tuple[str, ...]] = (QMIX, QMIX_LONGER, QMIX_PR)

    def jobs(self, scale: Scale, seeds: Seeds) -> list[LabelledJob]:
        """A common first stage, and both ways to go on."""
        plain = [
            qmix(scale, agents, seed)
            for agents in scale.of(self.teams)
            for seed in range(seeds.qmix)
        ]
        return unique(
            [
                *plain,
                *(longer(one, scale) for one in plain),
                *(resonant(one, scale, "pr") for one in plain),
            ]
        )

    def table(self, results: Sequence[RunResult]) -> str:
        """A row for each team."""
        names = self.algorithms
        readings = {"Lv-C": final_responsibility, "return": final_return}
        rows = []
        for agents in values_of(results, "agents"):
            groups = {
                name: select(results, agents=agents, algorithm=name) for name in names
            }
            means = [
                mean_of(groups[name], reading)
                for reading in readings.values()
                for name in names
            ]
            better = [
                chance_of_improvement(groups[QMIX_PR], groups[QMIX_LONGER], r)
                for r in readings.values()
            ]
            rows.append([f"{agents:g}", *map(interval_cell, [*means, *better])])
        measured = [f"{measure}, {name}" for measure in readings for name in names]
        return markdown_table(
            ["N", *measured, *(f"P(better), {measure}" for measure in readings)], rows
        )

    def draw(self, results: Sequence[RunResult]) -> Figure:
        """Lv-C reward and return over N."""
        figure = Figure(figsize=(10, 4), layout="constrained")
        axes: list[Axes] = list(figure.subplots(1, 2))
        readings = {
            "final Lv-C reward": final_responsibility,
            "final return": final_return,
        }
        for axis, (label, reading) in zip(axes, readings.items(), strict=True):
            bars_of_each(axis, results, self.algorithms, "agents", reading)
            team_size_scale(axis, values_of(results, "agents"))
            axis.set_xlabel("N, agents in the team")
            axis.set_ylabel(label)
            axis.grid(alpha=0.3)
        mark_optimum(axes[1])
        add_legend(axes[0])
        return figure
