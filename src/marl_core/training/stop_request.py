"""Whether a run was asked to stop, which all its processes have to agree on."""

from __future__ import annotations

from typing import final

from marl_core.training.ranks import from_everyone


@final
class StopRequest:
    """What asked a run to stop. One process that stopped alone would leave the others waiting.

    Attributes:
        signal: by which this process was asked; None: it was not.
    """

    def __init__(self) -> None:
        self.signal: int | None = None
        self._agreed = False

    @property
    def asked(self) -> bool:
        """Whether this process was asked."""
        return self.signal is not None

    def agree(self, any_asked: bool) -> None:
        """Note what all processes have found together.

        Args:
            any_asked: whether one of them was asked.
        """
        self._agreed = any_asked

    def agree_at_the_end(self, count: int) -> None:
        """Agree once more: a signal may have come after the last update.

        Args:
            count: how many processes there are; all of them call this.
        """
        signals = from_everyone(self.signal, count)
        found = next((one for one in signals if one is not None), None)
        self._agreed = found is not None
        if self.signal is None:
            self.signal = found

    def stops(self, count: int) -> bool:
        """Whether the run stops here.

        Args:
            count: how many processes there are.
        """
        return self._agreed or (count == 1 and self.asked)
