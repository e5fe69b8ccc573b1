"""The end of a collection on a device that is not waited for."""

from __future__ import annotations

from typing import final

from jaxtyping import Bool
from torch import Tensor

from marl_core.late_number import LateNumber

#: Steps between two questions; an answer is read when the next question is put.
_EVERY = 8


@final
class LateEnd:
    """Whether all games are over, learnt some steps later.

    To ask after every step would make the host wait for the device, and the device then for the
    host. So a few steps more are played than are needed, and are left out of the rollout.

    Args:
        last_step: by this number of steps all games are surely over.
    """

    def __init__(self, last_step: int) -> None:
        self._last_step = last_step
        self._question: LateNumber | None = None
        self._known = False
        #: Whether steps may have been played that were not needed.
        self.may_overrun = False

    def is_known(
        self,
        step: int,
        on: Bool[Tensor, "E"],
    ) -> bool:
        """Whether it is known by now that all games are over.

        Args:
            step: how many steps were played.
            on: which games are on.
        """
        if self._known or step >= self._last_step:
            return True
        self.may_overrun = True
        if step % _EVERY == 0:
            asked = self._question
            self._question = LateNumber(on.any())
            self._known = asked is not None and not asked.read()
        return self._known
