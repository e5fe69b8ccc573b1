"""The script's orders by NVIDIA Warp: one launch in place of hundreds of torch's operations."""

from __future__ import annotations

from types import ModuleType
from typing import final

import torch
from jaxtyping import Float, Int
from torch import Tensor

from marl_core.errors import UserError
from marl_envs.adca.battle import Battle, Distances
from marl_envs.adca.opponent.command import Orders
from marl_envs.adca.opponent.grouping import squads


@final
class WarpOrders:
    """What ``command.give_orders`` gives up to rounding, always in single precision.

    The first one on a machine has the kernel compiled, which takes seconds; later ones find it in Warp's cache.

    Args:
        device: where battles are played.

    Raises:
        UserError: Warp is not installed.
    """

    def __init__(self, device: torch.device | str) -> None:
        self._kernels, self._warp = _load(torch.device(device))
        self._scratch: (
            tuple[Float[Tensor, "E rows M"], Int[Tensor, "E whole_rows M"]] | None
        ) = None

    def __call__(self, battle: Battle, distances: Distances) -> Orders:
        """The orders of all attackers, from the state before anybody fires or moves."""
        games, fighters = battle.alive.shape
        guards = len(distances.guards)
        attackers = fighters - guards
        position = battle.position.float()
        acceleration = position.new_empty(games, 2, attackers)
        heading = position.new_empty(games, attackers)
        arrays = (
            battle.alive,
            position,
            battle.key,
            battle.clock,
            distances.guards,
            distances.nearest_guard,
        )
        stream = None
        if position.is_cuda:
            stream = self._warp.stream_from_torch(
                torch.cuda.current_stream(position.device)
            )
        self._warp.launch(
            self._kernels.give_orders,
            dim=games,
            inputs=[*map(self._view, arrays), guards, attackers, squads(attackers)],
            outputs=[
                *map(self._view, (*self._rows(position, guards), acceleration, heading))
            ],
            device=None if stream is not None else "cpu",
            stream=stream,
        )
        dtype = battle.position.dtype
        return Orders(acceleration.to(dtype), heading.to(dtype))

    @property
    def scratch(
        self,
    ) -> tuple[Float[Tensor, "E rows M"], Int[Tensor, "E whole_rows M"]]:
        """The last step's intermediate results, in rows that ``warp_kernels`` names."""
        if self._scratch is None:
            raise RuntimeError("no orders have been given yet")
        return self._scratch

    def _view(self, tensor: Tensor) -> object:
        return self._warp.from_torch(tensor.detach(), return_ctype=True)

    def _rows(
        self, position: Float[Tensor, "E 2 P"], guards: int
    ) -> tuple[Tensor, Tensor]:
        """Space for the kernel's intermediate results, kept from step to step."""
        games, most = len(position), max(guards, position.shape[2] - guards)
        if self._scratch is None or self._scratch[0].shape[::2] != (games, most):
            reals = position.new_empty(games, self._kernels.ROWS, most)
            whole = torch.empty(
                games,
                self._kernels.WHOLE_ROWS,
                most,
                dtype=torch.int32,
                device=position.device,
            )
            self._scratch = reals, whole
        return self._scratch


def _load(device: torch.device) -> tuple[ModuleType, ModuleType]:
    """The compiled kernels, and Warp, which would announce itself and what it compiles amid a run's output."""
    try:
        import warp
    except ImportError as error:
        message = "the warp kernels need NVIDIA Warp: pip install 'policy-resonance[warp]', or choose torch"
        raise UserError(message, "environment", "kernels") from error
    before = warp.config.log_level
    warp.config.log_level = max(before, warp.LOG_WARNING)
    try:
        from marl_envs.adca.opponent import warp_kernels

        warp.init()
        warp.load_module(warp_kernels.__name__, device=warp.device_from_torch(device))
    finally:
        warp.config.log_level = before
    return warp_kernels, warp
