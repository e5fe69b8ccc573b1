"""Recorded episodes, the pages and pictures made of them, and what is refused."""

from __future__ import annotations

import io
import json
import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from PIL import Image
from torch import nn

from marl_core.config.run import RunConfig
from marl_core.rendering import Episode, HasViewer, Mode, Viewer, html_page, record
from marl_core.rendering.render import render_run
from marl_core.run_state import RunState
from marl_core.runs.assembly import first_state, newest_state, stage_exploration
from marl_core.runs.folder import RunFolder
from marl_core.types import Progress
from marl_envs.adca import ADCA
from marl_envs.adca.physics import ground
from marl_envs.adca.viewer import (
    HALF,
    SHADES,
    SHOTS_SEEN_FOR,
    BattleViewer,
    battles,
    recent_shots,
    shading,
    shots,
)
from marl_envs.fme import FME
from marl_envs.fme.viewer import MOST_PICTURES, LevelViewer, rewarded
from tests.support.command import Command, refused
from tests.support.runs import go_on, run_data, start

MODES: tuple[Mode, ...] = ("greedy", "sampled", "training")
#: Within the last stage of the runs below.
LATE = Progress(episodes=1000, stage=1, stage_episodes=500, updates=50)


def adca_data(**fields: Any) -> dict[str, Any]:
    """A short battle of guards that need no training, with a coin at each step of training."""
    coupled = {
        "name": "policy_resonance",
        "ramp_episodes": 1,
        "p_min": 0.05,
        "eta_max": 0.5,
        "level": "step",
    }
    return {
        "seed": 2,
        "environment": {
            "name": "marl_envs.adca:ADCA",
            "agents": 6,
            "attackers": 8,
            "max_steps": 90,
            **fields,
        },
        "host": {"name": "tests.support.guards:Guards"},
        "exploration": {"name": "entropy_sampling"},
        "stages": [{"episodes": 2, "exploration": coupled}],
        "training": {
            "episodes_per_update": 2,
            "evaluation_episodes": 2,
            "tensorboard": False,
            "threads": 1,
        },
    }


def battle(
    mode: Mode = "greedy", seed: int = 0, **fields: Any
) -> tuple[BattleViewer, Episode]:
    run = RunConfig.model_validate(adca_data(**fields))
    state = replace(first_state(run), progress=Progress(1000, 0, 500))
    environment, episode = record(state, mode, seed, name="a run")
    assert isinstance(environment, ADCA)
    viewer = environment.viewer()
    assert isinstance(viewer, BattleViewer)
    return viewer, episode


def resonant_run(level: str = "episode") -> RunState:
    """FME with policies of some strength, and resonance at its full eta."""
    data = run_data("pr")
    data["stages"][1]["exploration"]["level"] = level
    run = RunConfig.model_validate(data)
    state = first_state(run)
    assert isinstance(state.host, nn.Module)
    random = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in state.host.parameters():
            parameter.add_(0.6 * torch.randn(parameter.shape, generator=random))
    exploration = stage_exploration(run, 1, state.spec)
    return replace(state, exploration=exploration, progress=LATE)


def lesson(
    mode: Mode = "greedy", seed: int = 0, level: str = "episode", **named: Any
) -> tuple[LevelViewer, Episode]:
    environment, episode = record(resonant_run(level), mode, seed, **named)
    assert isinstance(environment, FME)
    viewer = environment.viewer()
    assert isinstance(viewer, LevelViewer)
    return viewer, episode


def data_of(page: str) -> Any:
    """What a page holds."""
    found = re.search(
        r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL
    )
    assert found is not None
    return json.loads(found[1])


@pytest.fixture(scope="module")
def fme_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = start(
        tmp_path_factory.mktemp("runs") / "lesson", run_data(record_policies=True)
    )
    go_on(folder)
    return folder.path


@pytest.fixture(scope="module")
def adca_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = start(tmp_path_factory.mktemp("runs") / "battle", adca_data(max_steps=12))
    go_on(folder)
    return folder.path


@pytest.mark.parametrize("mode", MODES)
def test_an_episode_is_whole(mode: Mode) -> None:
    _, episode = battle(mode)
    steps = episode.steps
    assert 0 < steps <= 90
    assert len(episode.states) == steps + 1
    assert [int(state["clock"]) for state in episode.states] == list(range(steps + 1))
    assert episode.policies.shape == (steps, 6, 7)
    torch.testing.assert_close(episode.policies.sum(-1), torch.ones(steps, 6))
    assert episode.terminated.tolist() == [False] * (steps - 1) + [True]
    assert not episode.truncated.any()
    torch.testing.assert_close(episode.reward.mean(-1), episode.team_reward)
    assert torch.equal(
        episode.alive,
        torch.stack([state["alive"][0, :6] for state in episode.states[:-1]]),
    )
    assert not episode.actions[~episode.alive].any()


def test_states_and_actions_give_the_next_states() -> None:
    """Stepped again from each recorded state, the battle goes the same way."""
    _, episode = battle("sampled")
    run = RunConfig.model_validate(adca_data())
    replayed = ADCA(run.environment, games=1, device="cpu", generator=torch.Generator())  # type: ignore[arg-type]
    for before, actions, after in zip(
        episode.states[:-1], episode.actions, episode.states[1:], strict=True
    ):
        replayed.load_state_dict(before)
        replayed.step(actions.unsqueeze(0))
        assert all(
            torch.equal(value, after[name])
            for name, value in replayed.state_dict().items()
        )


def test_greedy_actions_are_the_policys_argmax() -> None:
    for episode in (lesson()[1], battle()[1]):
        best = episode.policies.argmax(-1)
        assert torch.equal(episode.actions[episode.alive], best[episode.alive])
        assert episode.component_names == ()
        assert not episode.component.any()


def test_sampled_actions_follow_the_policies() -> None:
    episodes = [lesson("sampled", seed)[1] for seed in range(150)]
    policies = episodes[0].policies
    assert all(torch.equal(episode.policies, policies) for episode in episodes)
    actions = torch.stack([episode.actions for episode in episodes])
    frequencies = (
        torch.nn.functional.one_hot(actions, policies.shape[-1]).double().mean(0)
    )
    assert (frequencies - policies).abs().max() < 5 * 0.5 / 150**0.5
    assert (frequencies - policies).abs().mean() < 0.02


@pytest.mark.parametrize("level", ["episode", "step"])
def test_resonance_shows_as_often_as_eta_says(level: str) -> None:
    """In training the team resonates with probability 0.75, and then acts greedily."""
    episodes = [lesson("training", seed, level)[1] for seed in range(120)]
    drawn = torch.stack([episode.component for episode in episodes])
    coins = drawn[:, 0] if level == "episode" else drawn.flatten()
    assert (
        abs(float(coins.double().mean()) - 0.75) < 4 * (0.75 * 0.25 / len(coins)) ** 0.5
    )
    assert bool((drawn == drawn[:, :1]).all()) == (level == "episode")
    greedy = torch.stack(
        [
            (episode.actions == episode.policies.argmax(-1)).all(-1)
            for episode in episodes
        ]
    )
    assert greedy[drawn == 1].all()
    assert not greedy[drawn == 0].all()
    assert episodes[0].component_names == ("not in resonance", "in resonance")


def test_equal_seeds_begin_alike_in_all_modes_and_others_do_not() -> None:
    starts = [battle(mode)[1].states[0] for mode in MODES]
    assert all(
        torch.equal(state["position"], starts[0]["position"]) for state in starts
    )
    assert not torch.equal(
        battle(seed=1)[1].states[0]["position"], starts[0]["position"]
    )


@pytest.mark.parametrize("mode", MODES)
def test_the_same_seed_gives_the_same_page(mode: Mode) -> None:
    for play in (battle, lesson):
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


def test_text_cannot_leave_its_place() -> None:
    said = "</script><script>alert(1)</script> @@TITLE@@"
    page = html_page("<b>&", "@@DATA@@ is the content's own", {"said": said})
    assert page.count("<script") == 3
    assert data_of(page) == {"said": said}
    assert "<title>&lt;b&gt;&amp;</title>" in page
    assert "@@DATA@@ is the content's own" in page
    with pytest.raises(ValueError, match="not JSON compliant"):
        html_page("", "", {"reward": float("nan")})


def test_pictures_and_films(marl: Command, fme_run: Path, adca_run: Path) -> None:
    for name, run in (("fme", fme_run), ("adca", adca_run)):
        for ending in ("html", "png", "svg"):
            outcome = marl("render", str(run), "--out", f"{name}.{ending}")
            assert (outcome.status, outcome.err) == (0, "")
            assert f"{name}.{ending}: {run.name} · greedy · seed 0" in outcome.out
        with Image.open(marl.folder / f"{name}.png") as image:
            image.load()
            assert min(image.size) > 500
            assert len(np.unique(np.asarray(image.convert("L")))) > 50
        assert "<svg" in (marl.folder / f"{name}.svg").read_text()
    assert marl("render", str(fme_run), "--out", "fme.gif", "--fps", "20").status == 0
    with Image.open(marl.folder / "fme.gif") as film:
        assert getattr(film, "n_frames", 1) == len(
            data_of((marl.folder / "fme.html").read_text())["curve"]["episodes"]
        )
        assert film.info["duration"] == 50


def test_a_battles_film_has_a_picture_for_each_state(
    tmp_path: Path, adca_run: Path
) -> None:
    episode = render_run(adca_run, tmp_path / "battle.gif", seed=1)
    with Image.open(tmp_path / "battle.gif") as film:
        assert getattr(film, "n_frames", 1) == episode.steps + 1


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="there is no ffmpeg")
def test_mp4(tmp_path: Path, fme_run: Path) -> None:
    render_run(fme_run, tmp_path / "lesson.mp4")
    assert (tmp_path / "lesson.mp4").read_bytes()[4:8] == b"ftyp"


def test_steps_differ_and_the_same_step_is_the_same_picture(
    tmp_path: Path, adca_run: Path
) -> None:
    pictures = []
    for number, step in enumerate((3, 3, 10)):
        render_run(adca_run, tmp_path / f"{number}.png", step=step)
        pictures.append(
            np.asarray(
                Image.open(io.BytesIO((tmp_path / f"{number}.png").read_bytes()))
            )
        )
    assert np.array_equal(pictures[0], pictures[1])
    assert not np.array_equal(pictures[0], pictures[2])


def test_rendering_leaves_the_run_alone(tmp_path: Path, fme_run: Path) -> None:
    def files() -> dict[str, bytes]:
        return {
            str(path): path.read_bytes()
            for path in fme_run.rglob("*")
            if path.is_file()
        }

    before = files()
    for mode in MODES:
        render_run(fme_run, tmp_path / f"{mode}.html", mode)
    assert files() == before


def test_mistakes(marl: Command, fme_run: Path) -> None:
    (marl.folder / "folder.html").mkdir()
    run, count = str(fme_run), len(list((fme_run / "policies").glob("*.npy")))
    endings = "gif, html, mp4, pdf, png, svg"
    for arguments, expected in (
        (
            (run, "--out", "a.txt"),
            f"a.txt: the ending says what to write, but '.txt' is none of {endings}",
        ),
        (
            (run, "--out", "a"),
            f"a: the ending says what to write, but the name has none of {endings}",
        ),
        (
            (run, "--out", "folder.html"),
            "folder.html: cannot write the episode: it is a folder",
        ),
        (
            (run, "--out", "no/a.html"),
            "no/a.html: cannot write the episode: there is no folder no",
        ),
        (
            (run, "--out", "a.html", "--step", "1"),
            "--step is for one picture (pdf, png, svg); a.html is not one",
        ),
        (
            (run, "--out", "a.png", "--fps", "5"),
            "--fps is for films (gif, mp4); a.png is not one",
        ),
        (
            (run, "--out", "a.png", "--step", "99"),
            f"--step 99: there are {count} pictures, from 0 to {count - 1}",
        ),
        (
            ("nowhere", "--out", "a.html"),
            "nowhere: no run here: there is no config.yaml",
        ),
    ):
        assert refused(marl, "render", *arguments) == expected


def test_without_ffmpeg_mp4_is_refused(
    marl: Command, fme_run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")
    line = refused(marl, "render", str(fme_run), "--out", "a.mp4")
    assert (
        line
        == "a.mp4: mp4 needs the program ffmpeg, which is not installed; .gif and .html do not"
    )


def test_a_run_without_checkpoint_or_viewer_is_refused(
    marl: Command, tmp_path: Path
) -> None:
    start(tmp_path / "new", run_data())
    line = refused(marl, "render", "new", "--out", "a.html")
    assert (
        line
        == "new/checkpoints/last.ckpt: no checkpoint yet; `marl resume new` trains the run"
    )
    name = "tests.core.rendering.test_rendering:Unseen"
    data = run_data(updates=(1, 1)) | {
        "environment": {"name": name, "agents": 3, "tag": "1A0B0C"}
    }
    go_on(start(tmp_path / "unseen", data))
    line = refused(marl, "render", "unseen", "--out", "a.html")
    assert line == f"environment '{name}' has no picture: it brings no viewer() along"


class Plain(Viewer):
    """What somebody else's environment could bring along."""

    def page(self, episode: Episode) -> str:
        return html_page(
            episode.title,
            "<script>function show() {}</script>",
            {"steps": episode.steps},
        )

    def draw(self, figure: Figure, episode: Episode, frame: int) -> None:
        figure.subplots().plot(range(frame + 1))


class Seen(FME):  # type: ignore[misc]
    def viewer(self) -> Viewer:
        return Plain()


def test_any_environment_may_bring_a_viewer(marl: Command, tmp_path: Path) -> None:
    data = run_data(updates=(1, 1))
    data["environment"]["name"] = "tests.core.rendering.test_rendering:Seen"
    go_on(start(tmp_path / "run", data))
    assert marl("render", "run", "--out", "a.html").status == 0
    assert data_of((tmp_path / "a.html").read_text()) == {"steps": 3}
    assert marl("render", "run", "--out", "a.gif").status == 0
    with Image.open(tmp_path / "a.gif") as film:
        assert getattr(film, "n_frames", 1) == 4  # a picture for each state


class Unseen(FME):  # type: ignore[misc]
    """An environment without a picture."""

    viewer = None  # type: ignore[assignment]


def test_kept_policies_that_cannot_be_read_are_told_in_a_line(
    marl: Command, tmp_path: Path
) -> None:
    folder = start(tmp_path / "run", run_data(updates=(1, 1)))
    go_on(folder)
    folder.policies_folder.mkdir()
    (folder.policies_folder / "0000000003.npy").write_bytes(b"nothing")
    assert refused(marl, "render", "run", "--out", "a.html").startswith(
        "run/policies: the policies kept there cannot"
    )
