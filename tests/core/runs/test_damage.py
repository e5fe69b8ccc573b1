"""What is damaged on the disk is seen, said, and where possible made good."""

from __future__ import annotations

import errno
import io
import os
import random
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from marl_core.api.training import train
from marl_core.errors import UserError
from marl_core.notes import RunWarning
from marl_core.runs.checkpoint_file import DamagedError, read_checkpoint
from marl_core.runs.folder import RunFolder
from marl_core.runs.metrics_rows import read_metrics
from marl_core.runs.seal import seal_of, sealed
from marl_core.runs.transfer import begin_from
from tests.support.runs import differences, go_on, outcome, run_data, start


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """A run that ended undisturbed; to be copied."""
    folder = start(
        tmp_path_factory.mktemp("finished") / "run",
        run_data(updates=(2, 2), log_every=1),
    )
    go_on(folder)
    return folder


@pytest.fixture
def run(finished: RunFolder, tmp_path: Path) -> RunFolder:
    """A copy of it."""
    shutil.copytree(finished.path, tmp_path / "run")
    return RunFolder(tmp_path / "run")


def flip(path: Path, bit: int) -> None:
    content = bytearray(path.read_bytes())
    content[bit // 8] ^= 1 << bit % 8
    path.write_bytes(content)


def test_every_flipped_bit_is_seen(run: RunFolder) -> None:
    content = run.checkpoint.read_bytes()
    assert seal_of(content) == "whole"
    chance = random.Random(0)
    ends = [*range(64), *range(8 * len(content) - 800, 8 * len(content))]
    middle = [chance.randrange(8 * len(content)) for _ in range(200)]
    for bit in ends + middle:
        changed = bytearray(content)
        changed[bit // 8] ^= 1 << bit % 8
        assert seal_of(bytes(changed)) != "whole"
    for length in (0, 1, 100, len(content) - 1):
        assert seal_of(content[:length]) != "whole"


def test_a_sealed_archive_is_still_one(tmp_path: Path) -> None:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("a", "b")
    (tmp_path / "a.zip").write_bytes(sealed(content.getvalue()))
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        assert archive.testzip() is None
        assert archive.comment.startswith(b"sha256 ")


def remove(path: Path) -> None:
    path.unlink()


def flip_the_middle(path: Path) -> None:
    flip(path, 4 * path.stat().st_size)


@pytest.mark.parametrize("damage", [remove, flip_the_middle])
def test_the_checkpoint_before_is_used(
    run: RunFolder, finished: RunFolder, damage: Callable[[Path], None]
) -> None:
    damage(run.checkpoint)
    with pytest.warns(RunWarning, match=r"previous\.ckpt, the .* is used") as warned:
        go_on(run)
    assert len(warned) == 1
    assert Path(warned[0].filename).name == "notes.py"  # where no filter hushes it
    assert differences(outcome(run), outcome(finished)) == []


def test_a_damaged_checkpoint_never_takes_the_place_of_a_sound_one(
    run: RunFolder,
) -> None:
    before = run.checkpoints.previous.read_bytes()
    flip_the_middle(run.checkpoint)
    with pytest.warns(RunWarning):
        assert run.take_up_checkpoint() is not None
    assert not run.checkpoint.exists()
    run.checkpoints.write(before)
    assert run.checkpoints.previous.read_bytes() == before
    read_checkpoint(run.checkpoint)


def test_two_damaged_checkpoints_are_refused(run: RunFolder) -> None:
    flip_the_middle(run.checkpoint)
    flip_the_middle(run.checkpoints.previous)
    with pytest.raises(UserError, match=r"last\.ckpt: .*checksum.*previous\.ckpt: "):
        go_on(run)


def test_a_disk_that_cannot_read_the_checkpoint(
    run: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(path: Path) -> bytes:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(Path, "read_bytes", failing)
    with pytest.raises(DamagedError, match=r"last\.ckpt: the disk cannot read it"):
        read_checkpoint(run.checkpoint)


def without_header(text: bytes) -> bytes:
    return text.partition(b"\r\n")[2]


def doubled(text: bytes) -> bytes:
    lines = text.splitlines(keepends=True)
    return b"".join([*lines[:2], lines[1], *lines[2:]])


def missing(text: bytes) -> bytes:
    lines = text.splitlines(keepends=True)
    return b"".join([*lines[:2], *lines[3:]])


def too_long(text: bytes) -> bytes:
    lines = text.splitlines(keepends=True)
    return b"".join([*lines[:2], lines[2].rstrip() + b",7\r\n", *lines[3:]])


def with_nul(text: bytes) -> bytes:
    lines = text.splitlines(keepends=True)
    return b"".join([*lines[:2], b"\0" + lines[2], *lines[3:]])


def another_number(text: bytes) -> bytes:
    lines = text.splitlines(keepends=True)
    return b"".join([lines[0], lines[1].replace(b"0.", b"1.", 1), *lines[2:]])


DAMAGES = {
    "no header": (without_header, ":1: .*names of the columns"),
    "a doubled row": (doubled, ":3: .*doubled"),
    "a row too long": (too_long, ":3: .*values for"),
    "a zero byte": (with_nul, ":3: .*no text"),
    "bytes that are no text": (lambda text: text + b"9,\xff\r\n", ":.*no text"),
    "half a header": (lambda text: text[:9], ":1: .*cut off"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_metrics_are_refused_with_their_line(
    run: RunFolder, damage: str
) -> None:
    change, message = DAMAGES[damage]
    run.metrics.write_bytes(change(run.metrics.read_bytes()))
    with pytest.raises(UserError, match=f"metrics\\.csv{message}"):
        read_metrics(run.metrics)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (missing, "are left of|are not those"),
        (another_number, "are not those that were logged"),
        (lambda text: b"", "0 lines are left"),
        (with_nul, ":3: "),
    ],
)
def test_a_run_does_not_go_on_without_what_it_logged(
    run: RunFolder, change: Callable[[bytes], bytes], message: str
) -> None:
    damaged = change(run.metrics.read_bytes())
    run.metrics.write_bytes(damaged)
    with pytest.raises(UserError, match=message):
        go_on(run)
    assert run.metrics.read_bytes() == damaged
    run.metrics.unlink()
    with pytest.raises(UserError, match=r"metrics\.csv: this file is gone"):
        go_on(run)


def test_damage_to_the_newest_lines_is_made_good(
    run: RunFolder, finished: RunFolder
) -> None:
    """The checkpoint before knows only of lines that are sound."""
    lines = run.metrics.read_bytes().splitlines(keepends=True)
    run.metrics.write_bytes(b"".join(lines[:-1]))
    with pytest.warns(RunWarning, match="is used"):
        go_on(run)
    assert differences(outcome(run), outcome(finished)) == []


def test_a_start_that_is_damaged_is_refused(run: RunFolder, tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "other")
    begin_from(run, folder, run.load_config())
    flip_the_middle(folder.start)
    with pytest.raises(UserError, match=r"start\.pt: this file is damaged"):
        go_on(folder)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes here")
def test_a_pipe_in_place_of_a_file_is_refused(run: RunFolder) -> None:
    """To open it would be to wait for ever."""
    for path in (run.checkpoint, run.metrics):
        content = path.read_bytes()
        path.unlink()
        os.mkfifo(path)
        with pytest.raises(UserError, match="this is a pipe, where a file is needed"):
            go_on(run)
        path.unlink()
        path.write_bytes(content)


def test_half_a_file_never_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A real full disk names no file; the error does."""

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left") as error:
        train(run_data(updates=(1, 1)), out=tmp_path / "run", progress=False)
    assert str(error.value.filename).startswith(str(tmp_path / "run"))
    assert list(tmp_path.rglob("*")) == []
