"""What the viewers of ADCA and FME make of an episode."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from marl_core.config.run import RunConfig
from marl_envs.adca.physics import ground
from marl_envs.adca.viewer import (
    HALF,
    SHADES,
    SHOTS_SEEN_FOR,
    battles,
    recent_shots,
    shading,
    shots,
)
from marl_envs.fme.viewer import MOST_PICTURES, rewarded
from tests.support.episodes import LATE, battle, data_of, lesson
from tests.support.runs import run_data


@pytest.mark.parametrize("terrain", [True, False])
@pytest.mark.parametrize("seed", range(3))
def test_shots_explain_every_death_and_every_reward(seed: int, terrain: bool) -> None:
    _, episode = battle("sampled", seed, terrain=terrain)
    states = battles(episode)
    found = shots(states, 6)
    assert found
    assert {(shot.step, shot.target) for shot in found} == {
        (step, who)
        for step, who in (states.alive[:-1] & ~states.alive[1:]).nonzero().tolist()
    }
    hit, was_hit = torch.zeros(episode.steps, 14), torch.zeros(episode.steps, 14)
    for shot in found:
        hit[shot.step, shot.shooter] = was_hit[shot.step, shot.target] = 1
    assert episode.won is not None
    expected = hit[:, :6] - 0.5 * was_hit[:, :6] + 3 * episode.won.unsqueeze(-1)
    torch.testing.assert_close(episode.reward, expected)


def test_a_picture_shows_the_shots_of_the_last_steps() -> None:
    _, episode = battle()
    states = battles(episode)
    everything = shots(states, 6)
    assert everything
    for frame in range(episode.steps + 1):
        age = {shot: frame - 1 - shot.step for shot in everything}
        assert recent_shots(states, 6, frame) == [
            shot for shot in everything if 0 <= age[shot] < SHOTS_SEEN_FOR
        ]


def test_shading_is_the_ground() -> None:
    theta = torch.tensor(0.7)
    shade = shading(theta, terrain=True)
    for row, column in ((0, 0), (10, 90), (SHADES - 1, 3)):
        x, y = (
            (column + 0.5) / SHADES * 2 * HALF - HALF,
            HALF - (row + 0.5) / SHADES * 2 * HALF,
        )
        expected = ground(torch.tensor([[[x], [y]]]), theta.view(1))
        assert float(shade[row, column]) == pytest.approx(float(expected), abs=1e-5)
    assert torch.equal(shading(theta, terrain=False), torch.ones(SHADES, SHADES))


def test_rewards_of_snapshots_are_those_of_greedy_play() -> None:
    viewer, episode = lesson()
    (snapshot,) = viewer.snapshots(episode)
    assert np.array_equal(snapshot.greedy, episode.actions)
    certain = [0, 2]  # Lv-B draws an arm
    np.testing.assert_allclose(
        snapshot.rewards[certain], episode.team_reward[certain], atol=1e-6
    )
    assert not data_of(viewer.page(episode))["recorded"]


def test_more_snapshots_than_a_page_can_hold_are_thinned() -> None:
    _, once = lesson()
    history = tuple((when, once.policies.numpy()) for when in range(500))
    viewer, episode = lesson(history=history)
    shown = [snapshot.episodes for snapshot in viewer.shown(episode)]
    assert len(shown) == len(set(shown)) == viewer.frames(episode) == MOST_PICTURES
    assert (shown[0], shown[-1]) == (0, LATE.episodes)
    assert len(data_of(viewer.page(episode))["curve"]["episodes"]) == 501


def test_the_likeliest_arm_comes_first() -> None:
    levels = [{"kind": "B", "arms": [3, 0, 2], "probabilities": [0.2, 0.8, 0.0]}]
    data = run_data() | {"environment": {"name": "fme", "agents": 2, "levels": levels}}
    (level,) = RunConfig.model_validate(data).environment.resolved_levels()  # type: ignore[attr-defined]
    assert rewarded(level) == (0, 3)
