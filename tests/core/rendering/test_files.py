"""``marl render``: the files that it writes, and what it refuses."""

from __future__ import annotations

import io
import shutil
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from marl_core.rendering import Episode, Viewer, html_page
from marl_core.rendering.render import render_run
from marl_core.runs.folder import RunFolder
from marl_envs.fme import FME
from tests.support.command import Command, refused
from tests.support.episodes import MODES, data_of
from tests.support.runs import go_on, run_data, start


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
    episode = render_run(RunFolder(adca_run), tmp_path / "battle.gif", seed=1)
    with Image.open(tmp_path / "battle.gif") as film:
        assert getattr(film, "n_frames", 1) == episode.steps + 1


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="there is no ffmpeg")
def test_mp4(tmp_path: Path, fme_run: Path) -> None:
    render_run(RunFolder(fme_run), tmp_path / "lesson.mp4")
    assert (tmp_path / "lesson.mp4").read_bytes()[4:8] == b"ftyp"


def test_steps_differ_and_the_same_step_is_the_same_picture(
    tmp_path: Path, adca_run: Path
) -> None:
    pictures = []
    for number, step in enumerate((3, 3, 10)):
        render_run(RunFolder(adca_run), tmp_path / f"{number}.png", step=step)
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
        render_run(RunFolder(fme_run), tmp_path / f"{mode}.html", mode)
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
    name = "tests.core.rendering.test_files:Unseen"
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
    data["environment"]["name"] = "tests.core.rendering.test_files:Seen"
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
