"""A seed for each game."""

from __future__ import annotations

from typing import Final

import torch
from jaxtyping import Int
from torch import Tensor

#: Seeds are below this number, which every library takes.
_SEEDS: Final = 2**31


def seeds_of(games: int, generator: torch.Generator) -> Int[Tensor, "E"]:
    """Seeds for all games.

    As many are drawn whichever games are reset, so that no game depends on another.

    Args:
        games: E.
        generator: where they come from.

    Returns:
        ``[E]``, on the generator's device.
    """
    return torch.randint(_SEEDS, (games,), generator=generator, device=generator.device)
