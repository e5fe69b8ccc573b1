"""A head that gives means and spreads of numbers in a box."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final, final

import torch
from jaxtyping import Float
from torch import Tensor, nn

from marl_core.hosts.networks import Stack
from marl_core.hosts.parameter_sharing import Groups

#: Bounds of the logarithm of a standard deviation, in half widths of the box.
LEAST_LOG_STD: Final = -5.0
MOST_LOG_STD: Final = 1.0


@final
class GaussianHead(nn.Module):
    """Means from what the body says, and spreads that depend on no observation.

    A spread is learnt for each number, and for each group of agents that share their networks. Its
    logarithm goes smoothly from -5 to 1.

    Args:
        width: of the body's output.
        numbers: D.
        initial_std: the standard deviation at first, between the bounds.
        generator: where the initial weights of the means come from.
        sharing: the group of each agent, whose head is its own; None: all agents share.
    """

    def __init__(
        self,
        width: int,
        numbers: int,
        initial_std: float,
        generator: torch.Generator,
        sharing: Groups = None,
    ) -> None:
        super().__init__()
        self.mean = Stack.build(
            [width, numbers],
            generator,
            relu=(False,),
            last_gain=0.01,
            sharing=sharing,
        )
        # Without inputs a layer is its bias, with all that a layer can do for agents and groups.
        self.spread = Stack.build(
            [0, numbers],
            generator,
            relu=(False,),
            sharing=sharing,
        )
        with torch.no_grad():
            for bias in self.spread.parameters():
                bias.fill_(_unbounded(math.log(initial_std)))

    def copy_for_each_agent(self, agents: int) -> None:
        """Give every agent its own copy of the means' layer and of its spreads.

        Args:
            agents: N.
        """
        self.mean.copy_for_each_agent(agents)
        self.spread.copy_for_each_agent(agents)

    def share_copies(self, groups: Sequence[int]) -> None:
        """Have agents share the copies of their group, after ``copy_for_each_agent``.

        Args:
            groups: the group of each agent. Each lies in one of the groups before.
        """
        self.mean.share_copies(groups)
        self.spread.share_copies(groups)

    def forward(self, hidden: Float[Tensor, "*B N W"]) -> Float[Tensor, "*B N S"]:
        """D means, and then D logarithms of standard deviations.

        Args:
            hidden: the body's output, for every agent.
        """
        middle = (MOST_LOG_STD + LEAST_LOG_STD) / 2
        half = (MOST_LOG_STD - LEAST_LOG_STD) / 2
        log_std = middle + half * self.spread(hidden[..., :0]).tanh()
        return torch.cat([self.mean(hidden), log_std], -1)


def _unbounded(log_std: float) -> float:
    """The bias that a logarithm of a standard deviation comes from."""
    middle = (MOST_LOG_STD + LEAST_LOG_STD) / 2
    half = (MOST_LOG_STD - LEAST_LOG_STD) / 2
    return math.atanh((log_std - middle) / half)
