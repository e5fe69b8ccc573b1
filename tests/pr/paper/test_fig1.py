"""Fig. 1: what is measured of each agent."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from marl_core.runs.folder import RunFolder
from marl_core.training import stages
from marl_core.training.watchers import Watchers
from marl_pr.paper.fig1 import Fig1, preference
from marl_pr.paper.scale import Seeds
from tests.support.tiny_reproduction import TINY


@given(
    arrays(np.float64, array_shapes(min_dims=2, max_dims=4), elements=st.floats(0, 1)),
    st.data(),
)
def test_preference_is_its_definition(
    policies: np.ndarray, data: st.DataObject
) -> None:
    """f(pi_i) = pi_i(u) - 1/N sum_j pi_j(u), Section 3."""
    action = data.draw(st.integers(0, policies.shape[-1] - 1))
    found = preference(policies, action)
    assert found.shape == policies.shape[:-1]
    agents = policies.shape[-2]
    for place in itertools.product(*map(range, policies.shape[:-2])):
        average = sum(policies[(*place, j, action)] for j in range(agents)) / agents
        for i in range(agents):
            assert found[(*place, i)] == pytest.approx(
                policies[(*place, i, action)] - average, abs=1e-12
            )


def test_fig1_reads_the_last_responsibility_level(tmp_path: Path) -> None:
    one = Fig1().jobs(TINY, Seeds(1, 1, 1))[0]
    folder = RunFolder(tmp_path / "run")
    folder.create(one.job.config)
    stages.train(one.job.config, folder, Watchers(progress_bar=False))
    result = Fig1().read(folder, one.labels)
    kept = dict(folder.policies())
    assert set(result.episodes) <= set(kept)
    assert max(result.episodes) == TINY.lengths["ppo_ma"].first
    for index, episodes in enumerate(result.episodes):
        last_level = kept[episodes][
            6, :, 0
        ]  # Table 2: the seventh level of 1A4B2C has u_gamma = Act-0
        found = [result.metrics[f"preference/{agent}"][index] for agent in (1, 2, 3)]
        assert found == pytest.approx(last_level - last_level.mean(), abs=1e-6)
    assert any(result.final(f"preference/{agent}") != 0 for agent in (1, 2, 3))
