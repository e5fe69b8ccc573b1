"""Pages of episodes: what they hold, and that they need nothing else."""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from marl_core.rendering import HasViewer, Mode, html_page, record
from marl_core.runs.assembly import newest_state
from marl_core.runs.folder import RunFolder
from marl_envs.adca.physics import ground
from marl_envs.adca.viewer import (
    battles,
)
from marl_envs.fme.viewer import LevelViewer
from tests.support.episodes import MODES, battle, data_of, lesson


@pytest.mark.parametrize("mode", MODES)
def test_the_same_seed_gives_the_same_page(mode: Mode) -> None:
    for play in (partial(battle, max_steps=15), lesson):
        (viewer, one), (_, same), (_, other) = play(mode), play(mode), play(mode, 1)
        page = viewer.page(one)
        assert page == viewer.page(same)
        assert page != viewer.page(other)


def assert_is_self_contained(page: str) -> None:
    assert page.startswith("<!doctype html>")
    assert not re.search(
        r"https?:|//[a-z]|@import|url\(|<link[^>]+stylesheet|\bimport\s*\(|fetch\(|XMLHttp",
        page,
    )
    assert set(re.findall(r"""(?:src|href)\s*=\s*["']?([^"'\s>]*)""", page)) <= {
        "data:,"
    }
    assert "default-src 'none'" in page
    assert "@@" not in page


def test_a_battles_page_holds_the_battle() -> None:
    viewer, episode = battle("training")
    page = viewer.page(episode)
    assert_is_self_contained(page)
    assert "<title>ADCA · a run · as in training · seed 0</title>" in page
    data, states, steps = data_of(page), battles(episode), episode.steps
    assert (data["guards"], data["fighters"], data["steps"]) == (6, 14, steps)
    places = np.array(data["position"]).reshape(steps + 1, 14, 2) / 1000
    np.testing.assert_allclose(places, states.position.mT, atol=6e-4)
    np.testing.assert_allclose(
        np.array(data["heading"]) / 1000, states.heading, atol=6e-4
    )
    carried = ground(states.position, states.theta)
    np.testing.assert_allclose(np.array(data["multiplier"]) / 1000, carried, atol=6e-4)
    alive = [
        [died < 0 or died > step for died in data["died"]] for step in range(steps + 1)
    ]
    assert alive == states.alive.tolist()
    policies = np.array(data["policies"]).reshape(steps, 6, 7) / 1000
    np.testing.assert_allclose(policies, episode.policies, atol=6e-4)
    assert data["actions"] == episode.actions.tolist()
    assert data["component"] == episode.component.tolist()
    assert len(set(data["component"])) == 2
    np.testing.assert_allclose(np.diff(data["earned"]), episode.team_reward, atol=2e-4)
    mask, entities = episode.observations.entity_mask, episode.observations.entities
    assert mask is not None
    assert entities is not None
    for step, guard in ((0, 0), (steps // 2, 3), (steps - 1, 5)):
        assert (
            data["seen"][step][guard]
            == entities[step, guard, mask[step, guard], 6].long().tolist()
        )
    assert data["seen"][0][2][0] == 2  # itself
    assert data["end"] in ("the guards win", "the guards lose")


def test_a_page_of_the_whole_task_is_small() -> None:
    viewer, episode = battle("training", agents=50, attackers=60, max_steps=25)
    assert len(viewer.page(episode)) / episode.steps * 190 < 3_000_000


def test_a_lessons_page_holds_policies_and_actions(fme_run: Path) -> None:
    folder = RunFolder(fme_run)
    state = newest_state(folder)
    progress = state.progress
    history = tuple(folder.policies())
    environment, episode = record(state, "sampled", name="lesson", history=history)
    assert isinstance(environment, HasViewer)
    viewer = environment.viewer()
    assert isinstance(viewer, LevelViewer)
    page = viewer.page(episode)
    assert_is_self_contained(page)
    data = data_of(page)
    assert data["recorded"]
    assert [level["name"] for level in data["levels"]] == ["A1", "B1", "C1"]
    assert [level["rewarded"] for level in data["levels"]] == [[0], [5, 6, 7], [0]]
    episodes = [when for when, _ in history if when < progress.episodes] + [
        progress.episodes
    ]
    assert data["snapshots"]["episodes"] == data["curve"]["episodes"] == episodes
    assert len(episodes) > 2
    policies = (
        np.array(data["snapshots"]["policies"]).reshape(len(episodes), 3, 5, 10) / 1000
    )
    for shown, (_, kept) in zip(policies[:-1], history, strict=False):
        np.testing.assert_allclose(shown, kept, atol=6e-4)
    np.testing.assert_allclose(policies[-1], episode.policies, atol=6e-4)
    for counts, (_, kept) in zip(data["curve"]["counts"], history, strict=False):
        assert counts == [
            np.bincount(level.argmax(-1), minlength=10).tolist() for level in kept
        ]
    assert data["taken"] == episode.actions.tolist()
    np.testing.assert_allclose(data["earned"], episode.team_reward, atol=1e-4)


def test_text_cannot_leave_its_place() -> None:
    said = "</script><script>alert(1)</script> @@TITLE@@"
    page = html_page("<b>&", "@@DATA@@ is the content's own", {"said": said})
    assert page.count("<script") == 3
    assert data_of(page) == {"said": said}
    assert "<title>&lt;b&gt;&amp;</title>" in page
    assert "@@DATA@@ is the content's own" in page
    with pytest.raises(ValueError, match="not JSON compliant"):
        html_page("", "", {"reward": float("nan")})
