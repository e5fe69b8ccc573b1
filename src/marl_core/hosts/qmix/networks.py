"""The networks of QMIX: the agents' action values, and what makes a team's value of them."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from marl_core.errors import UserError
from marl_core.hosts.networks import Stack
from marl_core.hosts.qmix.config import QMIXConfig
from marl_core.hosts.qmix.mixing import MixingWeights, MonotonicMixer, mix
from marl_core.types import EnvironmentSpec, Observation


class TeamNetworks(nn.Module):
    """The agents' action values, and the mixing network if there is one.

    Weights are shared by all agents.

    Args:
        config: the settings.
        spec: what the environment gives.
        generator: where the initial weights come from.

    Raises:
        UserError: the environment does not give what the networks need.
    """

    def __init__(
        self, config: QMIXConfig, spec: EnvironmentSpec, generator: torch.Generator
    ) -> None:
        super().__init__()
        if spec.features is None:
            raise UserError("qmix needs feature observations")
        width = config.hidden
        self.body = Stack.build(
            [spec.features, width, width],
            generator,
            relu=(True, True),
        )
        self.head = Stack.build(
            [width, spec.actions],
            generator,
            relu=(False,),
            last_gain=0.01,
        )
        self.mixer: MonotonicMixer | None = None
        if config.mixer == "monotonic":
            self.mixer = _mixer(width, spec, generator)

    def values(self, seen: Observation) -> Float[Tensor, "*B N A"]:
        """Every agent's value of every action.

        Args:
            seen: with features, leading axes ``*B``.
        """
        assert seen.features is not None
        return self.head(self.body(seen.features))

    def mixing(self, seen: Observation) -> MixingWeights | None:
        """The mixing networks of each state.

        Args:
            seen: with R states.

        Returns:
            None for a plain sum.
        """
        if self.mixer is None:
            return None
        assert seen.state is not None
        return self.mixer.weights(seen.state)


def _mixer(
    width: int, spec: EnvironmentSpec, generator: torch.Generator
) -> MonotonicMixer:
    if spec.state_features is None:
        message = (
            "qmix mixes by the state, which the environment does not give; "
            "`mixer: sum` (VDN) needs none"
        )
        raise UserError(message, "host", "mixer")
    return MonotonicMixer(
        spec.state_features,
        spec.agents,
        width,
        generator,
    )


def team_value(
    values: Float[Tensor, "B N"],
    mixing: MixingWeights | None,
    state: Int[Tensor, "B"] | None = None,
) -> Float[Tensor, "B"]:
    """The values of B teams.

    Args:
        values: the agents' own.
        mixing: the mixing networks of R states; None: a team's value is the sum of its agents'.
        state: which of the R states each team is in; None: team ``b`` is in state ``b``.
    """
    return values.sum(-1) if mixing is None else mix(values, mixing, state)
