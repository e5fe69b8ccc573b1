"""What each item trains."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marl_core.config.run import RunConfig
from marl_core.sweep.jobs import checked
from marl_core.training import stages
from marl_pr.coupling import PolicyResonanceConfig
from marl_pr.paper.algorithms import CONC4HIST_HEADS_PRACTICE, CONC4HIST_PRACTICE
from marl_pr.paper.first_stages import ppo_ma
from marl_pr.paper.item import Item
from marl_pr.paper.labelled_job import LabelledJob
from marl_pr.paper.registry import ITEMS
from marl_pr.paper.scale import PAPER, QUICK, SCALES, Scale, Seeds
from marl_pr.paper.second_stages import resonant
from marl_pr.paper.table1 import Table1
from tests.support.paper_results import TWO_SEEDS

every_item = pytest.mark.parametrize("item", ITEMS.values(), ids=lambda item: item.name)
every_scale = pytest.mark.parametrize(
    "scale", SCALES.values(), ids=lambda scale: scale.name
)


@every_item
@every_scale
def test_the_sweep_takes_the_jobs(item: Item, scale: Scale) -> None:
    jobs = item.jobs(scale, item.default_seeds)
    assert len(checked([one.job for one in jobs])) == len(jobs) > 0
    labels = [
        (*sorted(map(str, one.labels.items())), one.job.config.seed) for one in jobs
    ]
    assert len(set(labels)) == len(jobs)
    for one in jobs:
        environment = one.job.config.environment.model_dump()
        task = (
            environment.get("tag")
            or f"{environment['agents']}v{environment['attackers']}"
        )
        assert (task, environment["agents"]) == (
            one.labels["task"],
            one.labels["agents"],
        )
        resonance = one.job.config.stage_exploration(len(one.job.config.stages) - 1)
        settings = [one.labels.get(name) for name in ("eta_max", "p_min", "coin")]
        if isinstance(resonance, PolicyResonanceConfig) and not resonance.corrected:
            assert settings == [resonance.eta_max, None, resonance.level]
            uncorrected = {
                "pr": CONC4HIST_PRACTICE,
                "pr_fast": CONC4HIST_HEADS_PRACTICE,
            }
            assert one.labels["algorithm"] == uncorrected[resonance.variant]
        elif isinstance(resonance, PolicyResonanceConfig):
            assert settings == [resonance.eta_max, resonance.p_min, resonance.level]
            assert str(one.labels["algorithm"]).endswith(
                {"pr": "+ PR", "pr_fast": "+ PR-Fast"}[resonance.variant]
            )
        else:
            assert settings == [None, None, None]


@every_scale
def test_items_share_runs(scale: Scale) -> None:
    """One name is one run with one set of labels, whichever item asks for it."""
    jobs: dict[str, LabelledJob] = {}
    for item in ITEMS.values():
        for one in item.jobs(scale, TWO_SEEDS):
            assert jobs.setdefault(one.job.name, one) == one
    assert len({one.job.config.model_dump_json() for one in jobs.values()}) == len(jobs)


def test_every_config_can_be_run() -> None:
    """One of each kind: what differs in a number alone is left out."""
    kinds: dict[tuple[object, ...], RunConfig] = {}
    for item in ITEMS.values():
        for one in item.jobs(QUICK, Seeds(1, 1, 1)):
            kinds[
                tuple(one.labels.get(name) for name in ("task", "algorithm", "coin"))
            ] = one.job.config
    assert len(kinds) > 8
    for config in kinds.values():
        stages.check(config)


def test_paper_scale_is_the_papers() -> None:
    """Section 6.1, and the authors' demonstration."""
    run = resonant(ppo_ma(PAPER, 8, 3), PAPER, "pr_fast")
    assert run.job.name == "pr_fast-1A4B2C-N8-eta0.75-pmin0.2-seed3"
    assert run.job.continues == "ppo_ma-1A4B2C-N8-seed3"
    assert [stage.episodes for stage in run.job.config.stages] == [262_144, 131_072]
    resonance = run.job.config.stage_exploration(1)
    assert isinstance(resonance, PolicyResonanceConfig)
    assert (resonance.ramp_episodes, resonance.eta_max, resonance.p_min) == (
        50_000,
        0.75,
        0.2,
    )
    assert run.job.config.stages[0].exploration is None
    training = run.job.config.training
    assert (
        PAPER.lengths["ppo_ma"].first
        / training.episodes_per_update
        / training.evaluate_every
        == 64
    )


def test_each_host_has_its_number_of_seeds() -> None:
    configs = [
        one.job.config
        for one in Table1().jobs(PAPER, Seeds(ppo_ma=4, qmix=2, conc4hist=1))
    ]
    for host, seeds in {"ppo_ma": 4, "qmix": 2}.items():
        assert {config.seed for config in configs if config.host.name == host} == set(
            range(seeds)
        )


@given(st.lists(st.integers(), unique=True, max_size=20), st.booleans())
def test_a_quick_scale_varies_over_fewer_values(
    values: list[int], everything: bool
) -> None:
    scale = replace(PAPER, everything=everything)
    chosen = scale.of(values)
    assert [value for value in values if value in chosen] == list(chosen)
    assert len(chosen) == (len(values) if everything else min(3, len(values)))
    assert not values or {values[0], values[-1]} <= set(chosen)
