"""A host for ADCA without training: guards that turn towards the nearest attacker they see."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor, nn

from marl_core.base_config import HostConfig
from marl_core.capabilities import HostCapabilities
from marl_core.hosts.base import HostModule
from marl_core.learning import LearningContext
from marl_core.protocols import IndividualPolicy
from marl_core.types import (
    EnvironmentSpec,
    Loss,
    Memory,
    Observation,
    ParameterGroup,
    Rollout,
)
from marl_envs.adca.physics import wrap
from marl_envs.adca.shapes import NEIGHBOURS


@final
class Guards(HostModule):
    Config = HostConfig
    capabilities = HostCapabilities(scores="logits", needs=frozenset({"entities"}))

    def __init__(
        self, config: HostConfig, spec: EnvironmentSpec, generator: torch.Generator
    ) -> None:
        super().__init__()
        self.sharpness = nn.Parameter(torch.tensor(4.0))

    def scores(
        self, observation: Observation, memory: Memory
    ) -> tuple[Float[Tensor, "*B N A"], Memory]:
        entities = observation.entities
        mask = observation.entity_mask
        assert entities is not None
        assert mask is not None
        own = entities[..., 0, :]
        enemies = entities[..., NEIGHBOURS:, :]
        there = mask[..., NEIGHBOURS:]
        towards = enemies[..., 1:3] - own[..., None, 1:3]
        distance = towards.square().sum(-1).masked_fill(~there, 1e9)
        nearest = distance.argmin(-1)[..., None, None].expand(
            *distance.shape[:-1], 1, 2
        )
        aim = towards.gather(-2, nearest).squeeze(-2)
        off = wrap(torch.atan2(aim[..., 1], aim[..., 0]) - own[..., 3])
        near = distance.amin(-1) < 0.6
        # Slowly towards the attacker, or the middle; back a little from an attacker that is near,
        # and the weapon first.
        way = torch.where(there.any(-1, keepdim=True), aim, -0.3 * own[..., 1:3])
        push = [way[..., 0], -way[..., 0], way[..., 1], -way[..., 1]]
        pushes = torch.stack(push, -1).clamp(max=1) * torch.where(
            near, -0.3, 0.1
        ).unsqueeze(-1)
        turns = (
            torch.stack([off, -off], -1)
            * (there.any(-1) & (off.abs() > 0.09)).unsqueeze(-1)
            * 6
        )
        rest = torch.full_like(off, 0.1).unsqueeze(-1)
        return self.sharpness * torch.cat([rest, pushes, turns], dim=-1), memory

    def losses(
        self, rollout: Rollout, policy: IndividualPolicy, context: LearningContext
    ) -> Iterator[Loss]:
        yield Loss((self.sharpness - 4).square())

    def parameter_groups(self) -> Sequence[ParameterGroup]:
        return [ParameterGroup([self.sharpness], 1e-3)]
