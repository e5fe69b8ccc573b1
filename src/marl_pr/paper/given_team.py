"""Second stages of a team that somebody else has trained: the authors' published one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import fmean
from typing import Final, final

from matplotlib.figure import Figure

from marl_core.base_config import validate_strictly
from marl_core.config.run import RunConfig
from marl_core.evaluation.statistics import Interval
from marl_core.reports.labels import Label
from marl_core.reports.results import RunResult
from marl_core.reports.run_log import read_run
from marl_core.runs.assembly import begun_state, newest_state
from marl_core.runs.folder import RunFolder
from marl_core.runs.weights import read_weights
from marl_core.sweep import Job
from marl_pr.paper.algorithms import (
    CONC4HIST_HEADS_PRACTICE,
    CONC4HIST_LESS_ENTROPY,
    CONC4HIST_LONGER,
    CONC4HIST_OWN_HEADS,
    CONC4HIST_PR,
    CONC4HIST_PR_FAST,
    CONC4HIST_PRACTICE,
)
from marl_pr.paper.battles import (
    READINGS,
    baseline_table,
    runs_of,
    with_baselines,
)
from marl_pr.paper.catalogue import GIVEN_TEAM
from marl_pr.paper.control_stages import (
    less_entropy,
    own_heads,
    practised,
    practised_heads,
)
from marl_pr.paper.fighting import BATTLES as FOUGHT
from marl_pr.paper.fighting import fighting
from marl_pr.paper.first_stages import conc4hist
from marl_pr.paper.item import Item
from marl_pr.paper.labelled_job import LabelledJob
from marl_pr.paper.markdown import interval_cell, markdown_table, number_cell
from marl_pr.paper.resonance_curves import Groups, resonance_plots
from marl_pr.paper.scale import Scale, Seeds
from marl_pr.paper.scores import Reading
from marl_pr.paper.second_stages import longer, resonant
from marl_pr.paper.shares import mean_share, share_of_trials

#: What the authors' first-stage team was trained on: enemies for every hundred guards, and steps.
_ENEMIES: Final = 110
_MAX_STEPS: Final = 180
#: A continuation is a second stage's half.
_PART: Final = 2
#: How often a continuation is evaluated.
_POINTS: Final = 8
#: As they are trained, those of the most interest first; how the page and the figure call them.
_COMPARED: Final = (
    CONC4HIST_LONGER,
    CONC4HIST_LESS_ENTROPY,
    CONC4HIST_PRACTICE,
    CONC4HIST_OWN_HEADS,
    CONC4HIST_HEADS_PRACTICE,
    CONC4HIST_PR,
    CONC4HIST_PR_FAST,
)
_BATTLES: Final = "test/battles"
#: How the metrics of a team's fighting begin: of the given one, and of one after training.
_GIVEN: Final = "given/"
_AFTER: Final = "fighting/"
#: What is told of it.
_FIGHTING: Final = {
    "lost": "guards lost",
    "strikes": "strikes",
    "strikers": "share of guards who strike",
    "steps": "steps",
    "idle": "idle",
    "drive": "drive",
    "turn": "turn",
    "roles": "spread of idleness over guards",
}
_METRICS: Final = {"greedy": "greedy/win_rate", "sampled": "sampled/win_rate"}


@final
class GivenTeam(Item):
    """Seven continuations of one team that fights already.

    Each begins with the same parameters, a fresh optimiser and a seed of its own.

    Args:
        weights: of the team that all runs begin with.
    """

    name = GIVEN_TEAM
    title = "Seven continuations of a given team, ADCA against 110 % enemies"
    default_seeds = Seeds(ppo_ma=5, qmix=5, conc4hist=5)
    notes = (
        "Share of the test battles won, without resonance in the test: mean over runs [95 % "
        "bootstrap interval over runs]; of the given team, the share of all first test battles "
        "[Wilson's interval]. All runs begin with one team, so the interval says how "
        "continuations of this team vary, and nothing of other teams. *As long* changes nothing, "
        "*less entropy* has a tenth of the entropy coefficient, in *greedy games* as many whole "
        "games are played greedily as under resonance, the others as without it; in *own heads* "
        "only a head of each agent's own learns, as with PR-Fast, without resonance; *own heads, "
        "greedy games* has both, and so it is PR-Fast without the correction. "
        "The figure's bands reach from the lowest run to the highest. A strike is a step in which "
        "a guard hits an attacker. *Idle*, *drive* and *turn* are shares of what living guards do; "
        "the last column is the standard deviation, over the guards, of their shares of idleness."
    )

    def __init__(self, weights: Path) -> None:
        self.weights = weights
        self.arguments = f"--weights {weights.name}"

    def jobs(self, scale: Scale, seeds: Seeds) -> list[LabelledJob]:
        """Seven continuations for each seed.

        Args:
            scale: how much is trained.
            seeds: how many seeds for each host.
        """
        scale = _as_given(scale)
        jobs = []
        for seed in range(seeds.conc4hist):
            given = conc4hist(scale, _ENEMIES, seed)
            continued = (
                resonant(given, scale, "pr_fast"),
                longer(given, scale),
                own_heads(given, scale),
                practised_heads(given, scale),
                practised(given, scale),
                resonant(given, scale, "pr"),
                less_entropy(given, scale),
            )
            jobs += [self._begun(one) for one in continued]
        return jobs

    def read(self, folder: RunFolder, labels: Mapping[str, Label]) -> RunResult:
        """The results of a run, with the number of its test battles, and how its team fights.

        Args:
            folder: of the run.
            labels: of the run.

        Raises:
            UserError: the run cannot be read.
        """
        run = read_run(folder, labels)
        state = newest_state(folder)
        found = {_BATTLES: float(state.config.training.evaluation_episodes)}
        found |= _named(_AFTER, fighting(state, "greedy"))
        if run.seed == 0 and labels["algorithm"] == CONC4HIST_LONGER:
            given, _ = begun_state(state.config, read_weights(self.weights))
            found |= _named(_GIVEN, fighting(given, "greedy"))
            run = with_baselines(run, state.config)
        series = {name: (value,) * len(run.episodes) for name, value in found.items()}
        return replace(run, metrics={**run.metrics, **series})

    def table(self, results: Sequence[RunResult]) -> str:
        """A row for the given team, and one for each kind of continuation with each seed's numbers;
        then how the greedy teams fight.

        Args:
            results: of the runs that there are.
        """
        each = [f"{how}, seed by seed" for how in _METRICS]
        header = ["team", "runs", *(f"won, {how}" for how in _METRICS), *each]
        rows = [_given_row(results)] if results else []
        for algorithm in _COMPARED:
            runs = runs_of(results, algorithm)
            means = [mean_share(runs, reading) for reading in READINGS.values()]
            seeds = [_numbers(runs, reading) for reading in READINGS.values()]
            rows.append([algorithm, str(len(runs)), *map(interval_cell, means), *seeds])
        parts = [
            markdown_table(header, rows),
            baseline_table(results),
            _fighting_table(results),
        ]
        return "\n".join(part for part in parts if part)

    def draw(self, results: Sequence[RunResult]) -> Figure:
        """Win rates, greedy and sampled, and eta over episodes.

        Args:
            results: of the runs that there are.
        """
        groups: Groups = {name: runs_of(results, name) for name in _COMPARED}
        plots = {f"battles won, {how}": metric for how, metric in _METRICS.items()}
        return resonance_plots(groups, plots)

    def _begun(self, continued: LabelledJob) -> LabelledJob:
        """The second stage of a run by itself, which begins with the given team."""
        job = continued.job
        described = job.config.model_dump(mode="json")
        stage = described["stages"][-1]
        training = described["training"]
        updates = stage["episodes"] // training["episodes_per_update"]
        training["evaluate_every"] = max(1, updates // _POINTS)
        config = validate_strictly(RunConfig, {**described, "stages": [stage]})
        begun = Job(f"given_{job.name}", config, None, self.weights)
        return replace(continued, job=begun)


def _as_given(scale: Scale) -> Scale:
    """The scale with the task that the team was trained on, and shorter second stages."""
    steps = min(scale.battles.max_steps, _MAX_STEPS)
    lengths = scale.lengths["conc4hist"]
    shorter = replace(lengths, second=lengths.second // _PART)
    return replace(
        scale,
        lengths={**scale.lengths, "conc4hist": shorter},
        battles=replace(scale.battles, max_steps=steps),
    )


def _fighting_table(results: Sequence[RunResult]) -> str:
    """What greedy teams do in a battle: means over runs."""
    rows = []
    for run in results:
        if f"{_GIVEN}{next(iter(_FIGHTING))}" in run.metrics:
            rows.append(["as given", *_fought([run], _GIVEN)])
    for algorithm in _COMPARED:
        runs = runs_of(results, algorithm)
        if runs:
            rows.append([algorithm, *_fought(runs, _AFTER)])
    if not rows:
        return ""
    table = markdown_table(["greedy team", *_FIGHTING.values()], rows)
    return f"What the greedy teams do, in {FOUGHT} battles a run (means over runs):\n\n{table}"


def _fought(runs: Sequence[RunResult], when: str) -> list[str]:
    cells = []
    for name in _FIGHTING:
        values = [run.final(f"{when}{name}") for run in runs]
        cells.append(number_cell(fmean(values)))
    return cells


def _named(prefix: str, values: Mapping[str, float]) -> dict[str, float]:
    return {f"{prefix}{name}": value for name, value in values.items()}


def _given_row(results: Sequence[RunResult]) -> list[str]:
    """The team before any continuation, from the first test battles of all runs."""
    shares = [interval_cell(_before(results, metric)) for metric in _METRICS.values()]
    return ["as given", str(len(results)), *shares, "-", "-"]


def _before(results: Sequence[RunResult], metric: str) -> Interval:
    battles = sum(run.metrics[_BATTLES][0] for run in results)
    won = sum(run.metrics[metric][0] * run.metrics[_BATTLES][0] for run in results)
    return share_of_trials(won / battles, round(battles))


def _numbers(runs: Sequence[RunResult], reading: Reading) -> str:
    return " ".join(number_cell(reading(run)) for run in runs) or "-"
