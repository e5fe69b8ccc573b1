"""What the figures draw: points and bars, colours and markers, legends and scales."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.container import ErrorbarContainer
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from marl_core.rendering.line_styles import line_style
from marl_core.rendering.palette import OKABE_ITO
from marl_core.reports.labels import Label
from marl_core.reports.results import RunResult
from marl_pr.paper.drawing import add_legend, mark_optimum, one_axis, team_size_scale
from marl_pr.paper.fig1 import Fig1
from marl_pr.paper.heat_map import Cells, cells_of, colour_limits, draw_heat_map
from marl_pr.paper.interval_bars import bars_of_each, interval_bars, what_bars_show
from marl_pr.paper.item import Item
from marl_pr.paper.pmin import PMin
from marl_pr.paper.registry import ITEMS
from marl_pr.paper.resonance_curves import curve_band, resonance_curves
from marl_pr.paper.scale import PAPER, Seeds
from marl_pr.paper.scores import final_return
from tests.support.paper_results import made_up_results

ONE_SEED = Seeds(1, 1, 1)
#: Figures whose horizontal axis is N.
OVER_TEAMS = ("table1", "fig5", "value_resonance")
#: Colours that stand for no run: the optimum, a threshold, and the resonance probability.
NEUTRAL = {"#000000", "#7f7f7f"}
#: The theory draws its own curves as well, and takes seconds to compute them.
every_item = pytest.mark.parametrize(
    "item",
    [item for item in ITEMS.values() if item.name != "theory"],
    ids=lambda item: item.name,
)


def run_of(final: float, seed: int = 0, **labels: Label) -> RunResult:
    """A run whose return ends at a number, having been half of it."""
    every = {"task": "1A4B2C", "algorithm": "A", **labels}
    metrics = {"exact/return": (final / 2, final)}
    return RunResult("fme", every, seed, (100, 200), metrics)


def lines_of(figure: Figure) -> Iterator[Line2D]:
    """The lines of all plots that have a name in a legend."""
    for axis in figure.axes:
        for line in axis.lines:
            if not str(line.get_label()).startswith("_"):
                yield line
        for container in axis.containers:
            if isinstance(container, ErrorbarContainer):
                yield container.lines[0]


def bars_of(axis: Axes) -> list[tuple[float, float]]:
    """The lower and upper ends of the bars of a plot's only line, where there is a bar."""
    (container,) = axis.containers
    assert isinstance(container, ErrorbarContainer)
    bars = [bar for lines in container.lines[2] for bar in lines.get_segments()]
    ends = [(float(bar[0][1]), float(bar[1][1])) for bar in bars if len(bar) == 2]
    return [pair for pair in ends if np.isfinite(pair).all()]


def caps_of(axis: Axes) -> list[float]:
    """The heights at which a plot's only line has caps."""
    (container,) = axis.containers
    assert isinstance(container, ErrorbarContainer)
    heights = [float(y) for cap in container.lines[1] for y in cap.get_ydata()]  # type: ignore[arg-type, union-attr]
    return [height for height in heights if np.isfinite(height)]


def test_bars_reach_over_the_interval_and_single_runs_have_none() -> None:
    groups: dict[Label, list[RunResult]] = {
        1: [run_of(2.0), run_of(4.0, seed=1)],
        2: [run_of(3.0)],
        3: [],
    }
    _, axis = one_axis("x", "y")
    interval_bars(axis, groups, final_return, "A", line_style(0))
    (container,) = axis.containers
    assert isinstance(container, ErrorbarContainer)
    assert container.lines[0].get_xydata().tolist() == [[1.0, 3.0], [2.0, 3.0]]  # type: ignore[union-attr]
    assert bars_of(axis) == [(2.0, 4.0)]
    assert sorted(caps_of(axis)) == [2.0, 4.0]


def test_without_intervals_there_is_no_bar_in_the_legend_either() -> None:
    _, axis = one_axis("x", "y")
    interval_bars(axis, {1: [run_of(2.0)]}, final_return, "A", line_style(0))
    (container,) = axis.containers
    assert isinstance(container, ErrorbarContainer)
    assert not container.has_yerr
    assert caps_of(axis) == []


def test_without_runs_there_is_no_line() -> None:
    _, axis = one_axis("x", "y")
    interval_bars(axis, {1: []}, final_return, "A", line_style(0))
    assert axis.containers == []
    add_legend(axis, title="nothing")
    assert axis.get_legend() is None


def test_a_legend_speaks_of_means_only_where_there_are_several_runs() -> None:
    runs = [run_of(1.0, agents=3), run_of(2.0, agents=5)]
    assert what_bars_show(runs) == "single runs"
    assert what_bars_show([]) == "single runs"
    assert "95 %" in what_bars_show([*runs, run_of(1.0, seed=1, agents=5)])


def test_each_algorithm_has_its_style() -> None:
    runs = [run_of(1.0, algorithm=name, agents=3) for name in ("A", "B")]
    _, axis = one_axis("x", "y")
    bars_of_each(axis, runs, ("A", "B"), "agents", final_return)
    drawn = [container.lines[0] for container in axis.containers]  # type: ignore[attr-defined]
    for index, line in enumerate(drawn):
        style = line_style(index)
        assert (line.get_color(), line.get_marker()) == (style.colour, style.marker)


def test_a_logarithmic_axis_says_so() -> None:
    _, axis = one_axis("", "y")
    team_size_scale(axis, [])
    assert (axis.get_xscale(), axis.get_xlabel()) == ("linear", "N, agents in the team")
    team_size_scale(axis, [3, 40])
    assert axis.get_xscale() == "log"
    assert "log scale" in axis.get_xlabel()
    assert axis.get_xticks().tolist() == [3, 40]


def test_the_optimum_is_in_the_legend() -> None:
    _, axis = one_axis("x", "y")
    mark_optimum(axis)
    add_legend(axis, title="lines")
    legend = axis.get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == ["optimum, 7"]
    assert legend.get_title().get_text() == "lines"


def test_curves_are_means_in_a_band() -> None:
    _, axis = one_axis("x", "y")
    runs = [run_of(2.0), run_of(4.0, seed=1)]
    curve_band(axis, runs, "exact/return", "A", line_style(1))
    curve_band(axis, runs, "no such metric", "B", line_style(2))
    (line,) = axis.lines
    assert line.get_xydata().tolist() == [[100.0, 1.5], [200.0, 3.0]]  # type: ignore[union-attr]
    (band,) = axis.collections
    corners = np.asarray(band.get_paths()[0].vertices)
    assert (corners.min(axis=0)[1], corners.max(axis=0)[1]) == (1.0, 4.0)


@pytest.mark.parametrize("seeds", [1, 2])
def test_a_single_run_has_no_band(seeds: int) -> None:
    runs = [run_of(2.0, seed=seed) for seed in range(seeds)]
    axis = resonance_curves({"A": runs}, "exact/return", "return").axes[0]
    assert len(axis.collections) == seeds - 1
    legend = axis.get_legend()
    assert legend is not None
    assert ("bands" in legend.get_title().get_text()) == (seeds == 2)


def test_eta_is_that_of_the_runs_that_resonate() -> None:
    eta = {"exact/return": (1.0, 2.0), "coupling/in resonance": (0.25, 0.5)}
    resonant = RunResult(
        "fme", {**run_of(1.0).labels, "eta_max": 0.5}, 0, (100, 200), eta
    )
    groups = {"plain": [run_of(1.0)], "resonant": [resonant]}
    main, second = resonance_curves(groups, "exact/return", "return").axes
    assert len(main.lines) == 2
    assert second.lines[0].get_ydata() == pytest.approx([0.25, 0.5])
    assert "eta" in second.get_ylabel()


def test_colours_of_a_map_reach_over_its_data() -> None:
    finals = {(0.1, 0.3): 6.5, (0.1, 0.5): 6.75, (0.2, 0.3): 6.625}
    runs = [
        run_of(final, p_min=p_min, eta_max=eta)
        for (p_min, eta), final in finals.items()
    ]
    cells = cells_of(runs, across="eta_max", up="p_min", reading=final_return)
    limits = colour_limits([cells])
    _, axis = one_axis("x", "y")
    image = draw_heat_map(axis, cells, limits)
    assert image.get_clim() == limits == (6.5, 6.75)
    expected = np.array([[6.5, 6.75], [6.625, np.nan]])
    array: np.ma.MaskedArray = np.ma.asarray(image.get_array())
    drawn: np.ndarray = array.filled(np.nan)
    assert drawn == pytest.approx(expected, nan_ok=True)
    written = {text.get_text(): text.get_color() for text in axis.texts}
    assert written == {"6.50": "white", "6.75": "black", "6.62": "white"}
    assert (axis.get_xlabel(), axis.get_ylabel()) == ("eta_max", "p_min")


def test_maps_share_their_scale() -> None:
    def cells(final: float) -> Cells:
        run = run_of(final, p_min=0.1, eta_max=0.3)
        return cells_of([run], across="eta_max", up="p_min", reading=final_return)

    nothing = cells_of([], across="eta_max", up="p_min", reading=final_return)
    assert colour_limits([cells(1.0), nothing, cells(3.0)]) == (1.0, 3.0)
    assert colour_limits([nothing]) == (0.0, 1.0)
    item = PMin()
    results = made_up_results(item)
    images = [axis.images[0] for axis in item.draw(results).axes[:2]]
    finals = [final_return(run) for run in results if "eta_max" in run.labels]
    low, high = images[0].get_clim()
    assert images[1].get_clim() == (low, high)
    assert min(finals) <= low < high <= max(finals)


def test_fig1_has_one_legend_with_every_agent() -> None:
    figure = Fig1().draw(made_up_results(Fig1(), PAPER, ONE_SEED))
    (legend,) = figure.legends
    names = [text.get_text() for text in legend.get_texts()]
    assert names == [f"agent {agent}" for agent in range(1, 8)]
    for axis in figure.axes:
        looks = {(line.get_color(), line.get_marker()) for line in axis.lines}
        assert len(looks) == len(axis.lines)
        assert len({marker for _, marker in looks}) == len(looks)


@every_item
def test_colours_are_of_one_palette_and_not_the_only_difference(item: Item) -> None:
    figure = item.draw(made_up_results(item))
    lines = list(lines_of(figure))
    colours = {to_hex(line.get_color()) for line in lines}
    assert colours <= {*OKABE_ITO, *NEUTRAL}
    for axis in figure.axes:
        names: dict[object, Line2D] = {}
        for line in lines:
            if line.axes is axis:
                look = (line.get_marker(), line.get_linestyle())
                fill = to_hex(line.get_markerfacecolor(), keep_alpha=True)
                assert names.setdefault((look, fill[-2:]), line) is line


@every_item
def test_one_seed_has_neither_means_nor_bars(item: Item) -> None:
    figure = item.draw(made_up_results(item, seeds=ONE_SEED))
    for axis in figure.axes:
        legend = axis.get_legend()
        title = "" if legend is None else legend.get_title().get_text()
        assert "mean" not in title
        assert "95 %" not in title
        for container in axis.containers:
            assert isinstance(container, ErrorbarContainer)
            assert not container.has_yerr


@pytest.mark.parametrize("name", OVER_TEAMS)
def test_figures_over_teams_declare_their_scale(name: str) -> None:
    item = ITEMS[name]
    for axis in item.draw(made_up_results(item)).axes:
        assert axis.get_xscale() == "log"
        assert "log scale" in axis.get_xlabel()
