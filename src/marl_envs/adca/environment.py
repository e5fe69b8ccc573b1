"""ADCA as a batched environment."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import final

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from marl_core.rendering.viewer import Viewer
from marl_core.types import EnvironmentSpec, Observation, StepResult
from marl_envs.adca.battle import Battle
from marl_envs.adca.config import ADCAConfig
from marl_envs.adca.distances import Distances, measure
from marl_envs.adca.draws import KEYS
from marl_envs.adca.observation import observe
from marl_envs.adca.opponent import Orders, give_orders
from marl_envs.adca.physics import ACTION_NAMES
from marl_envs.adca.reset import deploy
from marl_envs.adca.rules import advance, verdict


@final
class ADCA:
    """Asymmetric Decentralized Collective Assault (Appendix A.3).

    N guards fight a larger, scripted team. Each guard sees the nearest fighters as rows of 16
    numbers (``observe`` says which). It has seven actions: stay, push in one of four directions,
    and turn its weapon left or right.

    A battle ends when a team is wiped out, or by the clock with a verdict by numbers. The clock is
    part of the task, so all ends are ``terminated``. Guards earn rewards of their own (``verdict``
    says which), and the team reward is their mean.

    Args:
        config: the settings.
        games: the number of battles.
        device: where they are played.
        generator: where each battle draws its key when it is reset.
    """

    Config = ADCAConfig

    def __init__(
        self,
        config: ADCAConfig,
        *,
        games: int,
        device: torch.device | str,
        generator: torch.Generator,
    ) -> None:
        self._config = config
        self._generator = generator
        self._give_orders = _script(config, device)
        self._spec = config.spec()
        no_key = torch.zeros(games, dtype=torch.int64, device=device)
        self._battle = self._deploy(no_key)
        self._distances = measure(self._battle, config.agents)

    @property
    def spec(self) -> EnvironmentSpec:
        """What ADCA gives."""
        return self._spec

    @property
    def action_names(self) -> Sequence[str]:
        """What each action does."""
        return ACTION_NAMES

    def reset(self, games: Bool[Tensor, "E"] | None = None) -> Observation:
        """Start battles anew: both teams in line, the battlefield turned at random.

        Args:
            games: which battles; None: all of them.
        """
        old = self._battle
        key = torch.randint(
            KEYS,
            old.key.shape,
            generator=self._generator,
            device=self._generator.device,
        )
        new = self._deploy(key)
        if games is not None:
            new = old.where_not(games, new)
        self._battle = new
        self._distances = measure(self._battle, self._config.agents)
        return self._observe()

    def step(self, actions: Int[Tensor, "E N"]) -> StepResult:
        """Play a tenth of a unit of time: the script commands, everybody fires, the survivors move.

        Args:
            actions: of the guards.
        """
        config = self._config
        before = self._battle
        orders = self._give_orders(before, self._distances)
        after, fire = advance(
            before,
            actions,
            orders,
            self._distances,
            terrain=config.terrain,
        )
        end = verdict(after, fire, config)
        self._battle = replace(after, clock=after.clock + 1)
        self._distances = measure(self._battle, config.agents)
        return StepResult(
            self._observe(),
            end.reward.mean(-1),
            end.over,
            torch.zeros_like(end.over),
            individual_reward=end.reward,
            won=end.won,
        )

    def viewer(self) -> Viewer:
        """What shows battles as pages and pictures."""
        # Training needs no pictures.
        from marl_envs.adca.viewer import BattleViewer

        return BattleViewer(self._config)

    def state_dict(self) -> dict[str, Tensor]:
        """The state of every battle."""
        return dict(vars(self._battle))

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Go on from other battles.

        Args:
            state: what ``state_dict`` has given.
        """
        device = self._battle.key.device
        moved = {name: value.to(device) for name, value in state.items()}
        self._battle = Battle(**moved)
        self._distances = measure(self._battle, self._config.agents)

    def _deploy(self, key: Int[Tensor, "E"]) -> Battle:
        return deploy(
            key,
            self._config.agents,
            self._config.attackers,
            terrain=self._config.terrain,
        )

    def _observe(self) -> Observation:
        return observe(self._battle, self._distances, self._config)


def _script(
    config: ADCAConfig,
    device: torch.device | str,
) -> Callable[[Battle, Distances], Orders]:
    """What gives the attackers' orders."""
    if config.kernels == "torch":
        return give_orders
    # Warp is imported only where it is asked for.
    from marl_envs.adca.opponent.kernels.warp_orders import WarpOrders

    return WarpOrders(device)
