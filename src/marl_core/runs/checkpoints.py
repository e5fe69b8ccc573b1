"""The newest checkpoint of a run, and the one before it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, final

from lightning.pytorch.utilities import rank_zero_only

from marl_core.errors import UserError
from marl_core.notes import note
from marl_core.runs.checkpoint_file import SOURCE, DamagedError, read_checkpoint
from marl_core.runs.whole_writes import naming, take_place, write_part

_NEWEST = "last.ckpt"
_PREVIOUS = "previous.ckpt"
_SET_ASIDE = "set_aside.ckpt"

#: What is wrong with a checkpoint's content, as a line; None where nothing is.
Judge = Callable[[dict[str, Any]], str | None]


def _content_with(saved: dict[str, Any]) -> None:
    """A judge that finds nothing."""


@final
class Checkpoints:
    """The checkpoints in a folder.

    Two are kept. When the newest one turns out to be damaged, the run goes on from the one before
    and trains a little of it again, exactly as it did.

    Args:
        folder: where they are.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.newest = folder / _NEWEST
        self.previous = folder / _PREVIOUS
        self._set_aside = folder / _SET_ASIDE

    def exist(self) -> bool:
        """Whether there is one at all."""
        return self.newest.exists() or self.previous.exists()

    def write(self, content: bytes) -> None:
        """Have a new one be the newest. At every moment one of them is whole.

        Args:
            content: of the file.

        Raises:
            OSError: it cannot be written. It names the file.
        """
        part = write_part(self.newest, content)
        if self.newest.exists():
            with naming(self.previous):
                self.newest.replace(self.previous)
        take_place(part, self.newest)

    def read(self) -> dict[str, Any] | None:
        """The newest one that is sound. Where that is not the newest, one line says so.

        Returns:
            Its content; None where there is none.

        Raises:
            UserError: none of them is sound, or they are of another version of this project.
        """
        saved, _ = self._newest_sound(_content_with)
        return saved

    def kept(self, name: str) -> Path:
        """The file of a checkpoint that is kept (``training.keep``).

        Args:
            name: as ``best``, or ``update-00000064``.
        """
        return self.folder / f"{name}.ckpt"

    def read_kept(self, name: str) -> dict[str, Any]:
        """A checkpoint that is kept.

        Args:
            name: as ``kept`` takes it.

        Raises:
            UserError: there is none of this name, or it is not sound. The message says which there
                are.
        """
        path = self.kept(name)
        try:
            return _judged(path, _content_with)
        except FileNotFoundError as error:
            known = sorted(
                file.stem
                for file in self.folder.glob("*.ckpt")
                if file != self._set_aside
            )
            there_are = ", ".join(["start", *known])
            message = f"no such checkpoint; there are: {there_are}"
            raise UserError(f"{path}: {message}") from error

    def take_up(self, judge: Judge) -> dict[str, Any] | None:
        """The one from which the run goes on. Where it is not the newest, that one is set aside,
        lest it takes the sound one's place when the next is written.

        Args:
            judge: looks at the content of each.

        Returns:
            Its content; None where there is none.

        Raises:
            UserError: none of them is sound, or they are of another version of this project.
        """
        saved, is_newest = self._newest_sound(judge)
        if not is_newest:
            self._set_newest_aside()
        return saved

    @rank_zero_only
    def _set_newest_aside(self) -> None:
        with naming(self.newest), suppress(FileNotFoundError):
            self.newest.replace(self._set_aside)

    def _newest_sound(self, judge: Judge) -> tuple[dict[str, Any] | None, bool]:
        """The content of the newest sound one, and whether it is the newest at all."""
        try:
            return _judged(self.newest, judge), True
        except FileNotFoundError:
            if not self.previous.exists():
                return None, True
            reason = f"{self.newest}: this file is gone"
        except DamagedError as error:
            if not self.previous.exists():
                raise
            reason = str(error)
        found = self._earlier(reason, judge)
        _say(f"{reason}; {self.previous.name}, the checkpoint before it, is used")
        return found, False

    def _earlier(self, reason: str, judge: Judge) -> dict[str, Any]:
        try:
            return _judged(self.previous, judge)
        except (DamagedError, FileNotFoundError) as error:
            message = f"{reason}, and the checkpoint before it is of no use either"
            raise UserError(f"{message} ({error})") from error


@rank_zero_only
def _say(message: str) -> None:
    note(message)


def _judged(path: Path, judge: Judge) -> dict[str, Any]:
    saved = read_checkpoint(path)
    wrong = judge(saved)
    if wrong is not None:
        raise DamagedError(wrong)
    saved["marl"][SOURCE] = str(path)
    return saved
