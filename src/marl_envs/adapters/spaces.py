"""Spaces of Gymnasium as what networks take: observations as vectors, actions as numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, final

import numpy as np
from gymnasium import spaces
from gymnasium.spaces.utils import flatdim, flatten

from marl_core.errors import UserError

#: The key under which observations, and the infos beside them, say what is legal.
MASK: Final = "action_mask"
#: A network scores every combination of a MultiDiscrete action: more than these are a slip.
_MOST_COMBINATIONS: Final = 4096


@final
@dataclass(frozen=True)
class Sight:
    """What an agent sees, as a vector.

    Args:
        space: of its observations, without the mask of legal actions.
        inside: the key of the observation proper in a dict that holds a mask too; None: the
            observation is no such dict.
        has_mask: whether observations are dicts that hold a mask.
    """

    space: spaces.Space[Any]
    inside: str | None
    has_mask: bool

    @classmethod
    def of(cls, space: spaces.Space[Any]) -> Sight:
        """What is seen in a space of observations.

        Args:
            space: as the environment gives it.
        """
        if not isinstance(space, spaces.Dict) or MASK not in space.spaces:
            return cls(space, None, has_mask=False)
        rest = {key: part for key, part in space.spaces.items() if key != MASK}
        if len(rest) == 1:
            ((key, part),) = rest.items()
            return cls(part, key, has_mask=True)
        return cls(spaces.Dict(rest), None, has_mask=True)

    @property
    def size(self) -> int:
        """The number of features."""
        return int(flatdim(self.space))

    def vector(self, seen: Any) -> np.ndarray:
        """An observation as a vector; what is no number is one-hot.

        Args:
            seen: as the environment gave it.
        """
        if self.inside is not None:
            seen = seen[self.inside]
        elif self.has_mask:
            seen = {key: part for key, part in seen.items() if key != MASK}
        if isinstance(self.space, spaces.Box):
            return np.asarray(seen, dtype=np.float32).ravel()
        return np.asarray(flatten(self.space, seen), dtype=np.float32)

    def mask(self, seen: Any, info: Any) -> np.ndarray | None:
        """Which actions are legal; None where neither the observation nor the info says it.

        Args:
            seen: the observation.
            info: that came with it.
        """
        if self.has_mask:
            return np.asarray(seen[MASK], dtype=bool)
        if isinstance(info, dict) and MASK in info:
            return np.asarray(info[MASK], dtype=bool)
        return None


@final
@dataclass(frozen=True)
class Choice:
    """What an agent may do, as the numbers 0, 1, 2 ...

    Args:
        space: of its actions.
        count: how many actions there are.
    """

    space: spaces.Discrete | spaces.MultiDiscrete
    count: int

    @classmethod
    def of(cls, space: spaces.Space[Any], agent: str) -> Choice:
        """The actions of an agent.

        Args:
            space: as the environment gives it.
            agent: whose it is, for messages.

        Raises:
            UserError: its actions cannot be counted, or are too many.
        """
        if isinstance(space, spaces.Discrete):
            return cls(space, int(space.n))
        if isinstance(space, spaces.MultiDiscrete):
            count = int(np.prod(space.nvec, dtype=np.int64))
            if count <= _MOST_COMBINATIONS:
                return cls(space, count)
            message = f"{count} combinations of actions"
            raise UserError(f"{agent} has {message}, and {_MOST_COMBINATIONS} is most")
        message = "only Discrete, MultiDiscrete and Box actions can be learnt here"
        raise UserError(f"{agent} acts in {space}: {message}")

    def action(self, number: int) -> Any:
        """An action as the environment takes it.

        Args:
            number: of the action, from 0 to ``count - 1``.
        """
        if isinstance(self.space, spaces.Discrete):
            return int(self.space.start) + number
        shape = tuple(self.space.nvec.ravel())
        parts = np.array(np.unravel_index(number, shape), dtype=self.space.dtype)
        return parts.reshape(self.space.nvec.shape)
