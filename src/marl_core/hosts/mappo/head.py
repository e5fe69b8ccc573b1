"""The head of a policy, by what the environment's actions are."""

from __future__ import annotations

import torch

from marl_core.hosts.gaussian_head import GaussianHead
from marl_core.hosts.mappo.config import MAPPOConfig
from marl_core.hosts.networks import Stack
from marl_core.hosts.parameter_sharing import Groups
from marl_core.types import EnvironmentSpec


def policy_head(
    config: MAPPOConfig,
    spec: EnvironmentSpec,
    generator: torch.Generator,
    sharing: Groups,
) -> Stack | GaussianHead:
    """What scores actions: logits, or means and spreads of numbers in a box.

    Args:
        config: of the host.
        spec: of the environment.
        generator: where the initial weights come from.
        sharing: the group of each agent; None: all agents share.
    """
    width = config.hidden
    if spec.box is not None:
        numbers = spec.box.numbers
        return GaussianHead(width, numbers, config.initial_std, generator, sharing)
    return Stack.build(
        [width, spec.actions],
        generator,
        relu=(False,),
        last_gain=0.01,
        sharing=sharing,
    )
