"""What the script tells the attackers to do."""

from __future__ import annotations

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor


@dataclass(frozen=True)
class Orders:
    """The orders of one step.

    Attributes:
        acceleration: of each attacker; 0 for the dead.
        heading: where each attacker points its weapon, in [0, 2 pi).
    """

    acceleration: Float[Tensor, "E 2 H"]
    heading: Float[Tensor, "E H"]
