"""The acting half of Conc4Hist: its networks, its memory, and what of them is learnt how fast."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from marl_core.capabilities import HostCapabilities
from marl_core.errors import UserError
from marl_core.hosts.base import HostModule
from marl_core.hosts.conc4hist.concentration import ConcentrationNetwork
from marl_core.hosts.conc4hist.config import Conc4HistConfig
from marl_core.hosts.conc4hist.history import remember
from marl_core.hosts.conc4hist.running_norm import RunningNorm
from marl_core.hosts.conc4hist.surroundings import Surroundings
from marl_core.hosts.networks import Stack
from marl_core.types import EnvironmentSpec, Memory, Observation, ParameterGroup


class ConcentrationTeam(HostModule):
    """A team that acts by concentration networks with a memory. What it learns is up to a subclass.

    The policy of an agent gets the few entities that it attends to most. Entity 0 of an observation
    must be the agent itself. The memory is a history of entities (``history.remember``). All agents
    share one network.

    Args:
        config: the settings.
        spec: what the environment gives.
        generator: where the initial weights come from.

    Attributes:
        own_heads: whether every agent has a policy head of its own.

    Raises:
        UserError: the environment gives no entities, or too few.
    """

    def __init__(
        self, config: Conc4HistConfig, spec: EnvironmentSpec, generator: torch.Generator
    ) -> None:
        super().__init__()
        self._entities, self._features = _entities_of(spec, config.focus)
        self.config = config
        self._agents = spec.agents
        self.own_heads = False
        width = config.hidden
        self.norm = RunningNorm(self._features)
        self.network = ConcentrationNetwork(
            self._features,
            width,
            config.focus,
            generator,
            config.kernels,
        )
        self.trunk = Stack.build(
            [2 * width, width],
            generator,
            relu=(True,),
            last_gain=math.sqrt(2),
        )
        self.head = Stack.build(
            [width, width // 2, spec.actions],
            generator,
            relu=(True, False),
            last_gain=0.01,
        )
        self.critic = Stack.build(
            [2 * width, width, 1],
            generator,
            relu=(True, False),
        )

    @property
    def capabilities(self) -> HostCapabilities:
        """As the config declares them."""
        return self.config.capabilities

    def initial_memory(self, games: int) -> Memory:
        """An empty history for every agent.

        Args:
            games: E, how many games.
        """
        shape = (games, self._agents, self._entities, self._features)
        past = self.norm.count.new_zeros(shape, dtype=torch.float32)
        mask = past.new_zeros(
            shape[:-1],
            dtype=torch.bool,
        )
        return {"past": past, "past_mask": mask}

    def scores(
        self, observation: Observation, memory: Memory
    ) -> tuple[Float[Tensor, "*B N A"], Memory]:
        """Logits; and the history with what is seen now.

        Args:
            observation: with entities, leading axes ``*B``.
            memory: the history before this step.
        """
        seen = Surroundings.of(observation, memory)
        around = seen.normalised(self.norm, self.dtype)
        past = remember(
            seen.past,
            seen.now[..., 1:],
            seen.nobody,
        )
        rows = seen.rows.index_select(0, past.flatten())
        remembered = {
            "past": rows.view(*past.shape, -1),
            "past_mask": past != seen.nobody,
        }
        trunk = self._trunk_of_the_living(around, observation.alive)
        return self.head(trunk), remembered

    def _trunk_of_the_living(
        self,
        around: Surroundings,
        alive: Bool[Tensor, "*B N"] | None,
    ) -> Float[Tensor, "*B N W"]:
        """The input of the policy head; zeros for the dead, where leaving them out saves time."""
        # An exported program is to take any number of the living.
        exporting = torch.compiler.is_exporting()
        if alive is None or exporting or not around.rows.is_cpu:
            concentrated, _ = self.network(around, value=False)
            return self.trunk(concentrated)
        living = alive.flatten().nonzero().squeeze(-1)
        each = Surroundings(
            around.rows,
            around.now.flatten(0, -2),
            around.past.flatten(0, -2),
        )
        concentrated, _ = self.network(each.of_samples(living), value=False)
        trunk = self.trunk(concentrated)
        every = trunk.new_zeros(alive.numel(), trunk.shape[-1])
        every = every.index_copy(0, living, trunk)
        return every.unflatten(0, alive.shape)

    @property
    def dtype(self) -> torch.dtype:
        """That of the parameters. Environments know nothing of precision 64-true."""
        return self.network.now.query.dtype

    def parameter_groups(self) -> Sequence[ParameterGroup]:
        """Policy, the encoder included, and critic, the attention included."""
        policy = [
            *self.network.actor_parameters(),
            *self.trunk.parameters(),
            *self.head.parameters(),
        ]
        critic = [*self.network.critic_parameters(), *self.critic.parameters()]
        rate = self.config.learning_rate
        schedule = self.config.learning_rate_schedule
        return [
            ParameterGroup(policy, rate, self.config.max_gradient_norm, schedule),
            ParameterGroup(
                critic,
                rate * self.config.critic_rate_factor,
                schedule=schedule,
            ),
        ]

    def give_each_agent_its_own_head(self) -> None:
        """PR-Fast's change (Section 6.1).

        All of the policy but its last two layers is frozen, and each agent gets a copy of those.
        Attention and value head go on learning; so do the statistics of the normalisation, as in
        the authors' program.
        """
        for parameter in (*self.network.actor_parameters(), *self.trunk.parameters()):
            parameter.requires_grad_(False)
        self.head.copy_for_each_agent(self._agents)
        self.own_heads = True

    def share_heads(self, groups: Sequence[int]) -> None:
        """Have the agents of a group share one head (``SharesHeads``).

        Args:
            groups: the group of each agent. Each lies in one of the groups before.
        """
        self.head.share_copies(groups)


def _entities_of(spec: EnvironmentSpec, focus: int) -> tuple[int, int]:
    """K and F, if they suffice."""
    if spec.entities is None:
        raise UserError("conc4hist needs entity observations")
    entities, _ = spec.entities
    if entities < focus:
        message = (
            f"agents see {entities} entities, themselves included: "
            f"{focus} cannot be chosen out of so few"
        )
        raise UserError(message, "host", "focus")
    return spec.entities
