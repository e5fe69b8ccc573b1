"""What is exported: a host and its individual policy, from tensors to tensors.

The program is decentralised: what it says of an agent is what the host makes of that agent's
observation and memory. Resonance is not in it, and nothing is drawn: its ``greedy`` is what ``marl
evaluate`` calls greedy, and whoever draws from its ``probabilities`` has what it calls sampled.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import final

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from marl_core.errors import UserError
from marl_core.joint_policy import greedy_actions
from marl_core.run_state import RunState
from marl_core.types import NO_OP, Memory, Observation

#: The names of the outputs; those of the memory come after them.
GREEDY, PROBABILITIES = "greedy", "probabilities"
#: What the names of the memory begin with, as inputs and as outputs.
MEMORY, NEXT_MEMORY = "memory_", "next_memory_"
#: The parts of an observation that agents act by, in the order of the inputs. The state of the game
#: is not among them: agents that act on their own do not know it.
SEEN = ("features", "entities", "entity_mask", "action_mask", "alive")


@final
class TeamProgram(nn.Module):
    """Observations and memory to actions, probabilities and memory, each named.

    Args:
        state: the run, as it is at a checkpoint. What its schedules say now is what they say in
            the program.

    Raises:
        UserError: the host is no ``nn.Module``, so that nobody knows its parameters.
    """

    def __init__(self, state: RunState) -> None:
        super().__init__()
        host = state.host
        if not isinstance(host, nn.Module):
            name = state.config.host.name
            message = f"host '{name}' cannot be exported: it is no torch.nn.Module"
            raise UserError(message)
        self.host: nn.Module = host
        self._scores = host.scores
        self._individual = state.exploration.individual
        self._progress = state.progress

    def forward(self, inputs: dict[str, Tensor]) -> dict[str, Tensor]:
        """Act once.

        Args:
            inputs: a tensor for each name, leading axis E.

        Returns:
            The greedy actions ``[E, N]``, every action's probability ``[E, N, A]``, and the memory
            for the next step.
        """
        seen, memory = _taken_apart(inputs)
        scores, following = self._scores(seen, memory)
        legal = seen.legal_actions()
        policy = self._individual.log_policy(scores, legal, self._progress).exp()
        policy = _of_the_living(policy, seen.alive)
        remembered = {NEXT_MEMORY + name: following[name] for name in memory}
        return {GREEDY: greedy_actions(policy), PROBABILITIES: policy, **remembered}


def _taken_apart(given: Mapping[str, Tensor]) -> tuple[Observation, Memory]:
    seen = {name: value for name, value in given.items() if name in SEEN}
    memory = {
        name.removeprefix(MEMORY): value
        for name, value in given.items()
        if name.startswith(MEMORY)
    }
    return Observation(**seen), memory


def _of_the_living(
    policy: Float[Tensor, "E N A"], alive: Bool[Tensor, "E N"] | None
) -> Float[Tensor, "E N A"]:
    """The policies, and for the dead that they do nothing."""
    if alive is None:
        return policy
    nothing = torch.zeros_like(policy[..., :1, :])
    nothing[..., NO_OP] = 1.0
    return torch.where(alive.unsqueeze(-1), policy, nothing)
