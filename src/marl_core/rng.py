"""Randomness: one seed, independent named generators, nothing global.

A generator is named by what it is for ("environment", "exploration", ...) and by the rank that uses
it, so ranks play different games, and drawing more from one (looking at a policy more often, say)
never changes another.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping

import torch
from torch import Tensor

from marl_core.errors import UserError


def seed_for(seed: int, *path: str | int) -> int:
    """A seed for one purpose; different purposes get independent streams.

    Args:
        seed: the run's.
        *path: names the purpose, as ``"evaluation", "greedy", 12``.

    Returns:
        A number of 63 bits.
    """
    # Here, so that drawing actions needs torch alone.
    import numpy as np

    keys = [_key(part) for part in path]
    sequence = np.random.SeedSequence(entropy=seed, spawn_key=keys)
    low, high = sequence.generate_state(2)
    upper_bits = int(high) & 0x7FFFFFFF
    return int(low) | upper_bits << 32


def _key(part: str | int) -> int:
    return zlib.crc32(part.encode()) if isinstance(part, str) else part


def generator(
    device: torch.device | str, seed: int, *path: str | int
) -> torch.Generator:
    """A fresh generator for one purpose.

    Args:
        device: where it draws.
        seed: the run's.
        *path: names the purpose.
    """
    made = torch.Generator(device=device)
    return made.manual_seed(seed_for(seed, *path))


def uniform(
    shape: tuple[int, ...],
    generator: torch.Generator | None,
    device: torch.device | None = None,
) -> Tensor:
    """Uniform numbers in [0, 1), in at least single precision.

    Half precision has 256 of them, too coarse a sieve for small probabilities: actions would be
    drawn more or less often than their law says.

    Args:
        shape: of the tensor.
        generator: where the numbers come from, and on which device they are; None: torch's own.
        device: where they are drawn without a generator.
    """
    default = torch.get_default_dtype()
    dtype = default if default.itemsize >= 4 else torch.float32
    place = device if generator is None else generator.device
    return torch.rand(shape, generator=generator, device=place, dtype=dtype)


def normal(
    shape: tuple[int, ...],
    generator: torch.Generator | None,
    device: torch.device | None = None,
) -> Tensor:
    """Standard normal numbers, in at least single precision.

    Args:
        shape: of the tensor.
        generator: where the numbers come from, and on which device they are; None: torch's own.
        device: where they are drawn without a generator.
    """
    default = torch.get_default_dtype()
    dtype = default if default.itemsize >= 4 else torch.float32
    place = device if generator is None else generator.device
    return torch.randn(shape, generator=generator, device=place, dtype=dtype)


class Generators:
    """The named generators of one rank. A name's generator is made at its first use.

    Args:
        seed: of all of them.
        rank: of this process, from 0.
        device: where they draw.
    """

    def __init__(self, seed: int, rank: int, device: torch.device | str) -> None:
        self._seed = seed
        self._rank = rank
        self._device = device
        self._made: dict[str, torch.Generator] = {}

    def __getitem__(self, name: str) -> torch.Generator:
        made = self._made.get(name)
        if made is None:
            made = generator(self._device, self._seed, name, self._rank)
            self._made[name] = made
        return made

    def state_dict(self) -> dict[str, Tensor]:
        """The state of every generator in use, as byte tensors."""
        return {name: made.get_state() for name, made in self._made.items()}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Continue where ``state_dict`` was taken.

        Args:
            state: what ``state_dict`` gave.

        Raises:
            UserError: the state is of a generator on another kind of device, or none at all.
        """
        for name, value in state.items():
            generator = self[name]
            if value.dtype != torch.uint8 or value.shape != generator.get_state().shape:
                message = (
                    f"the stream '{name}' of the checkpoint does not fit device '{self._device}': "
                    "a run goes on on the kind of device that it was begun on"
                )
                raise UserError(message)
            try:
                generator.set_state(value.cpu())
            except RuntimeError as error:
                message = (
                    f"the stream '{name}' of the checkpoint is no state of a generator"
                )
                raise UserError(message) from error
