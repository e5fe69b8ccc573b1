"""The networks of QMIX: the agents' action values, and what makes a team's value of them."""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from marl_core.errors import UserError
from marl_core.hosts.bodies import RELU_GAIN, Recurrent
from marl_core.hosts.networks import Stack
from marl_core.hosts.qmix.batch import Batch
from marl_core.hosts.qmix.config import QMIXConfig
from marl_core.hosts.qmix.mixing import MixingWeights, MonotonicMixer, mix
from marl_core.types import EnvironmentSpec, Observation


class Evaluated(NamedTuple):
    """What a team's network says of a batch.

    Attributes:
        values: of every action in each distinct observation.
        hidden: what the agents remember after each step; None where they remember nothing.
    """

    values: Float[Tensor, "R N A"]
    hidden: Float[Tensor, "T E N W"] | None


class TeamNetworks(nn.Module):
    """The agents' action values, and the mixing network if there is one.

    Weights are shared by all agents. Recurrent ones are an encoder, a gated recurrent unit, and a
    head, as in the experiments of Rashid et al. (2018).

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
        self.unit: Recurrent | None = None
        if config.body == "gru":
            widths = [spec.features, width]
            self.body = Stack.build(
                widths,
                generator,
                relu=(True,),
                last_gain=RELU_GAIN,
            )
            self.unit = Recurrent(width, None, generator)
        else:
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

        Only of a network without memory.

        Args:
            seen: with features, leading axes ``*B``.
        """
        return self.head(self._encoded(seen))

    def step(
        self, seen: Observation, hidden: Float[Tensor, "*B N W"]
    ) -> tuple[Float[Tensor, "*B N A"], Float[Tensor, "*B N W"]]:
        """Every agent's value of every action, and what it remembers. Only of a recurrent network.

        Args:
            seen: with features, leading axes ``*B``.
            hidden: what the agents remembered before.
        """
        assert self.unit is not None, "the network has no memory"
        hidden = self.unit.step(self._encoded(seen), hidden)
        return self.head(hidden), hidden

    def unroll(self, seen: Observation) -> Float[Tensor, "T E N W"]:
        """What the agents remember after each step of whole episodes. Only of a recurrent network.

        Args:
            seen: with features, leading axes ``T E``.
        """
        assert self.unit is not None, "the network has no memory"
        return self.unit.unroll(self._encoded(seen))

    def evaluate(self, seen: Observation, steps: int) -> Evaluated:
        """All values of a batch.

        Args:
            seen: each distinct observation. For a recurrent network these are all samples, one step
                of all games after the other.
            steps: T.
        """
        if self.unit is None:
            return Evaluated(self.values(seen), None)
        hidden = self.unroll(seen.map(lambda value: value.unflatten(0, (steps, -1))))
        return Evaluated(self.head(hidden.flatten(0, 1)), hidden)

    def after(self, evaluated: Evaluated, batch: Batch) -> Float[Tensor, "E N A"]:
        """All values of what is seen after each game's last step.

        Args:
            evaluated: what the network says of the steps before.
            batch: whose games these are.
        """
        if evaluated.hidden is None:
            return self.values(batch.last)
        last = batch.last_step
        game = torch.arange(len(last), device=last.device)
        values, _ = self.step(batch.last, evaluated.hidden[last, game])
        return values

    def _encoded(self, seen: Observation) -> Tensor:
        assert seen.features is not None
        return self.body(seen.features)

    def mixing(self, seen: Observation) -> MixingWeights | None:
        """The mixing networks of each state.

        Args:
            seen: with R states.

        Returns:
            None for a plain sum, and where agents learn for themselves.
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
