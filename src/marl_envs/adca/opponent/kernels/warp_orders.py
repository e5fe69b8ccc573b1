"""The script's orders by NVIDIA Warp: one launch in place of hundreds of torch's operations."""

from __future__ import annotations

from types import ModuleType
from typing import NamedTuple, final

import torch
from jaxtyping import Float, Int
from torch import Tensor

from marl_core.errors import UserError
from marl_envs.adca.battle import Battle
from marl_envs.adca.distances import Distances
from marl_envs.adca.opponent.grouping import squads
from marl_envs.adca.opponent.orders import Orders

#: Threads of a block on a GPU, each of which gives the orders of one battle. Battles are few, so
#: small blocks spread them over more of its processors.
BLOCK = 32


class Scratch(NamedTuple):
    """The intermediate results of a step, in rows that ``kernels.rows`` names.

    Attributes:
        reals: rows of numbers.
        whole: rows of whole numbers.
    """

    reals: Float[Tensor, "E rows M"]
    whole: Int[Tensor, "E whole_rows M"]


@final
class WarpOrders:
    """Gives the same orders as ``command.give_orders`` up to rounding, always in single precision.

    The first one on a machine compiles the kernel, which takes seconds; later ones find it in
    Warp's cache.

    Args:
        device: where battles are played.

    Raises:
        UserError: Warp is not installed.
    """

    def __init__(self, device: torch.device | str) -> None:
        self._warp = _import_warp()
        self._script, self._rows = self._load_kernel(torch.device(device))
        self._scratch: Scratch | None = None

    def __call__(
        self,
        battle: Battle,
        distances: Distances,
    ) -> Orders:
        """The orders of all attackers.

        Args:
            battle: before anybody fires or moves.
            distances: of this battle.
        """
        games, fighters = battle.alive.shape
        guards = len(distances.guards)
        attackers = fighters - guards
        position = battle.position.float()
        acceleration = position.new_empty(games, 2, attackers)
        heading = position.new_empty(games, attackers)
        scratch = self._space(position, guards)
        given = (
            battle.alive,
            position,
            battle.key,
            battle.clock,
            distances.guards,
            distances.nearest_guard,
        )
        inputs = [
            *map(self._view, given),
            guards,
            attackers,
            squads(attackers),
        ]
        results = (scratch.reals, scratch.whole, acceleration, heading)
        outputs = [*map(self._view, results)]
        self._launch(position, inputs, outputs)
        dtype = battle.position.dtype
        return Orders(acceleration=acceleration.to(dtype), heading=heading.to(dtype))

    @property
    def scratch(self) -> Scratch:
        """The intermediate results of the last step.

        Raises:
            RuntimeError: no orders have been given yet.
        """
        if self._scratch is None:
            raise RuntimeError("no orders have been given yet")
        return self._scratch

    def _launch(
        self,
        position: Tensor,
        inputs: list[object],
        outputs: list[object],
    ) -> None:
        """Start the kernel, in torch's own stream on a GPU."""
        stream = None
        if position.is_cuda:
            torch_stream = torch.cuda.current_stream(position.device)
            stream = self._warp.stream_from_torch(torch_stream)
        self._warp.launch(
            self._script.give_orders,
            dim=len(position),
            inputs=inputs,
            outputs=outputs,
            device="cpu" if stream is None else None,
            stream=stream,
            block_dim=None if stream is None else BLOCK,
        )

    def _view(self, tensor: Tensor) -> object:
        return self._warp.from_torch(tensor.detach(), return_ctype=True)

    def _space(
        self,
        position: Float[Tensor, "E 2 P"],
        guards: int,
    ) -> Scratch:
        """Space for the intermediate results, kept from step to step."""
        games, _, fighters = position.shape
        most = max(guards, fighters - guards)
        kept = self._scratch
        if kept is not None and kept.reals.shape[::2] == (games, most):
            return kept
        reals = position.new_empty(games, self._rows.ROWS, most)
        whole_shape = (games, self._rows.WHOLE_ROWS, most)
        whole = torch.empty(whole_shape, dtype=torch.int32, device=position.device)
        self._scratch = Scratch(reals, whole)
        return self._scratch

    def _load_kernel(self, device: torch.device) -> tuple[ModuleType, ModuleType]:
        """The compiled kernel and the names of its rows.

        Warp would announce itself and what it compiles in the middle of a run's output, so it is
        silenced meanwhile.
        """
        warp = self._warp
        before = warp.config.log_level
        warp.config.log_level = max(before, warp.LOG_WARNING)
        try:
            from marl_envs.adca.opponent.kernels import rows, script

            warp.init()
            warp.load_module(
                script.__name__,
                device=warp.device_from_torch(device),
                block_dim=BLOCK if device.type == "cuda" else None,
            )
        finally:
            warp.config.log_level = before
        return script, rows


def _import_warp() -> ModuleType:
    try:
        import warp
    except ImportError as error:
        message = (
            "the warp kernels need NVIDIA Warp: pip install 'policy-resonance[warp]', "
            "or choose torch"
        )
        raise UserError(message, "environment", "kernels") from error
    return warp
