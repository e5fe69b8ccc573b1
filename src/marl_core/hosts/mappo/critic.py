"""The value of what an agent sees, or of what the whole team sees."""

from __future__ import annotations

from typing import final

import torch
from jaxtyping import Float
from torch import Tensor, nn

from marl_core.hosts.bodies import RELU_GAIN, body
from marl_core.hosts.mappo.config import MAPPOConfig
from marl_core.hosts.networks import Dense, Stack
from marl_core.hosts.parameter_sharing import Groups
from marl_core.types import EnvironmentSpec, Observation, Rollout


@final
class Critic(nn.Module):
    """A value for every agent.

    A central critic sees the same for all agents, so a first layer that they share runs once for a
    team; the identity of each agent is added to what comes out.

    Args:
        config: of the host.
        spec: what the environment gives.
        generator: where the initial weights come from.
        sharing: the group of each agent, whose critic is its own; None: all agents share.
    """

    def __init__(
        self,
        config: MAPPOConfig,
        spec: EnvironmentSpec,
        generator: torch.Generator,
        sharing: Groups = None,
    ) -> None:
        super().__init__()
        width = config.hidden
        first, *others = [*config.encoder_widths, width]
        self._shared = sharing is None
        self._central = config.critic == "central"
        self._has_state = spec.state_features is not None
        self._agents = spec.agents
        self.first = Dense(
            self._inputs(spec),
            first,
            generator,
            relu=False,
            gain=RELU_GAIN,
            sharing=sharing,
        )
        self.identity: nn.Parameter | None = None
        if config.identity:
            each = torch.empty(spec.agents, first)
            nn.init.orthogonal_(each, generator=generator)
            self.identity = nn.Parameter(each)
        self.encoder = Stack.build(
            [first, *others],
            generator,
            relu=[True] * len(others),
            last_gain=RELU_GAIN,
            sharing=sharing,
        )
        self.body = body(config.body, width, config.sequence, generator, sharing)
        self.last = Stack.build(
            [width, 1],
            generator,
            relu=(False,),
            sharing=sharing,
        )

    def encoded(self, observation: Observation) -> Float[Tensor, "*B N W"]:
        """What the body gets.

        Args:
            observation: what the agents see, leading axes ``*B``.
        """
        seen = self._seen(observation).to(self.first.weight.dtype)
        if not self._shared:
            seen = self._of_each(seen)
        encoded = self.first(seen)
        if self.identity is not None:
            encoded = encoded + self.identity
        encoded = self._of_each(encoded).relu()
        for layer in self.encoder.layers:
            encoded = layer(encoded)
        return encoded

    def _of_each(self, of_team: Float[Tensor, "*B any W"]) -> Float[Tensor, "*B N W"]:
        """For each agent what is the same for all of them, or its own."""
        return of_team.expand(*of_team.shape[:-2], self._agents, -1)

    def value(self, hidden: Float[Tensor, "*B N W"]) -> Float[Tensor, "*B N"]:
        """The values, in the scale in which they are learnt.

        Args:
            hidden: the body's output.
        """
        return self.last(hidden).squeeze(-1)

    def values(self, seen: Observation) -> Float[Tensor, "T E N"]:
        """What it says at each step of whole games, in the scale in which it learns.

        Args:
            seen: what the agents saw, leading axes ``T E``.
        """
        return self.value(self.body.unroll(self.encoded(seen)))

    def judge(
        self, rollout: Rollout
    ) -> tuple[Float[Tensor, "T E N"], Float[Tensor, "E N"]]:
        """What it says at each step and after the last, in the scale in which it learns.

        Args:
            rollout: the games.
        """
        hidden = self.body.unroll(self.encoded(rollout.observations))
        last = rollout.valid.sum(0) - 1
        at_end = hidden[last, torch.arange(len(last), device=last.device)]
        after = self.body.step(self.encoded(rollout.last_observation), at_end)
        return self.value(hidden), self.value(after)

    def _inputs(self, spec: EnvironmentSpec) -> int:
        assert spec.features is not None, "seen to by the host"
        if not self._central:
            return spec.features
        return spec.state_features or spec.agents * spec.features

    def _seen(self, observation: Observation) -> Tensor:
        assert observation.features is not None
        if not self._central:
            return observation.features
        if self._has_state:
            assert observation.state is not None
            return observation.state.unsqueeze(-2)
        return observation.features.flatten(-2).unsqueeze(-2)
