"""The three protocols. Whatever satisfies them plugs in: through an entry point, or as ``package.module:Class``.

How they meet in one iteration of training::

    observation = environment.reset()
    component = draw_components(exploration.component_weights(progress), games, generator)   # the team's coin
    while games are on:
        scores, memory = host.scores(observation, memory)
        joint = exploration.joint_policy(scores, observation.legal_actions(), progress)
        actions = joint.sampler().draw(component, generator)
        result = environment.step(actions)
    for loss in host.losses(rollout, exploration, ranks):
        descend(loss.total)

An environment knows no learner, a host never samples an action, an exploration never sees a reward.
Implementations subclass these classes and are final; ``marl_core.testing`` checks that they keep their word.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from marl_core.config.named import EnvironmentConfig, ExplorationConfig, HostConfig
from marl_core.joint_policy import JointPolicy
from marl_core.types import (
    EnvironmentSpec,
    Loss,
    Memory,
    Observation,
    Progress,
    Rollout,
    StepResult,
)

#: What a host's scores are: unnormalised log-probabilities, or action values.
Scores = Literal["logits", "values"]


class Environment(Protocol):
    """E games of one task, stepped together as tensors on one device.

    Usage::

        environment = SomeEnvironment(config, games=512, device="cpu", generator=generator)
        observation = environment.reset()
        result = environment.step(actions)          # every game; the outcome of ended games is ignored
        observation = environment.reset(games=ended)  # starts those anew, leaves the others as they are

    Games are independent of each other and are never reset by ``step``. All randomness comes from ``generator``.
    """

    #: The config class; its fields are what a YAML file can say.
    Config: ClassVar[type[EnvironmentConfig]]

    @abstractmethod
    def __init__(
        self,
        config: Any,
        *,
        games: int,
        device: torch.device | str,
        generator: torch.Generator,
    ) -> None:
        """Set up ``games`` games. Raises ``UserError`` where the config asks for something impossible."""

    @property
    @abstractmethod
    def spec(self) -> EnvironmentSpec:
        """What this environment gives; constant."""

    @property
    def distinct_observations(self) -> Observation | None:
        """The table ``[M, N, ...]`` of all that agents can ever see, if it is small; constant. None if there is none.

        Then ``Observation.situation`` says which row each agent sees, and a memoryless network is evaluated once for
        each distinct observation in place of once for each sample.
        """
        return None

    @abstractmethod
    def reset(self, games: Bool[Tensor, "E"] | None = None) -> Observation:
        """Start the games in the mask (all of them by default) anew; the observation of every game."""

    @abstractmethod
    def step(self, actions: Int[Tensor, "E N"]) -> StepResult:
        """Advance every game by one step."""

    @abstractmethod
    def state_dict(self) -> dict[str, Tensor]:
        """Everything that changes in play, but for the generator."""

    @abstractmethod
    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Continue where ``state_dict`` was taken."""


@runtime_checkable
class HasExactReward(Protocol):
    """An environment that knows the expected reward of any joint policy in closed form."""

    @abstractmethod
    def expected_rewards(self, joint: JointPolicy) -> Float[Tensor, "L"]:
        """Expected team reward at each of ``spec.levels`` when the team acts by ``joint`` (leading axis M)."""


@runtime_checkable
class Ranks(Protocol):
    """The processes that train together. With one process every reduction is the identity."""

    @property
    @abstractmethod
    def count(self) -> int:
        """How many there are."""

    @abstractmethod
    def mean(self, value: Tensor) -> Tensor:
        """The mean of ``value`` over the ranks; every rank must call it, and gets the same."""


@dataclass(frozen=True)
class ParameterGroup:
    """Parameters that are optimised alike. ``max_gradient_norm`` None: gradients are not clipped."""

    parameters: Sequence[nn.Parameter]
    learning_rate: float
    max_gradient_norm: float | None = None


@dataclass(frozen=True)
class HostNeeds:
    """What a host asks of its environment and its exploration; a config that cannot give it is refused.

    ``memory``: the host remembers between steps, so its scores depend on more than the observation.
    """

    scores: Scores
    on_policy: bool
    features: bool = True
    entities: bool = False
    state: bool = False
    memory: bool = False


@dataclass(frozen=True)
class ReplaySettings:
    """How an off-policy host learns from the past, in episodes summed over all ranks.

    After every collection it gets ``batch`` different episodes of the newest ``capacity`` ones.
    """

    capacity: int
    batch: int


#: A loss and what to log about it.
Objective = Callable[..., tuple[Tensor, Mapping[str, Tensor]]]


def _eagerly(objective: Objective, *arguments: Any) -> Loss:
    return Loss(*objective(*arguments))


class HostAlgorithm(nn.Module):
    """A learner: observations to scores, rollouts to losses.

    It never samples an action and does not know how the team explores: ``exploration.log_policy`` says what its scores
    mean, for acting and for learning alike. Abstract base; see ``marl_core.hosts.ppo.ppo_ma`` for a whole one.
    """

    Config: ClassVar[type[HostConfig]]
    needs: ClassVar[HostNeeds]

    @abstractmethod
    def __init__(
        self, config: Any, spec: EnvironmentSpec, generator: torch.Generator
    ) -> None:
        """Build the networks, their initial weights drawn from ``generator`` (on the CPU)."""
        super().__init__()
        self._evaluate: Callable[..., Loss] = _eagerly

    def loss_of(self, objective: Objective, *arguments: Any) -> Loss:
        """Evaluate ``objective(*arguments)``, a method of the host that gives a loss and what to log about it.

        A host that yields its losses by way of this can be compiled (``training.compile``). The objective must then be
        a function of its arguments and the host's parameters alone.
        """
        return self._evaluate(objective, *arguments)

    def evaluate_losses_by(self, evaluate: Callable[..., Loss]) -> None:
        """Have ``loss_of`` evaluate by another means than eagerly."""
        self._evaluate = evaluate

    @property
    def replay(self) -> ReplaySettings | None:
        """From what an off-policy host (``needs.on_policy`` False) learns; an on-policy host has nothing to say."""
        return None

    def initial_memory(self, games: int) -> Memory:
        """The memory at the start of an episode, leading axis E; empty for a host that needs none."""
        return {}

    @abstractmethod
    def scores(
        self, observation: Observation, memory: Memory
    ) -> tuple[Float[Tensor, "*B N A"], Memory]:
        """Score every action of every agent; with the memory for the next step."""

    @abstractmethod
    def losses(
        self, rollout: Rollout, exploration: ExplorationStrategy, ranks: Ranks
    ) -> Iterator[Loss]:
        """Learn from a rollout: yield a loss for each optimisation step, taken before the next is asked for.

        An off-policy host is given whole episodes of earlier policies; its own memory is not among what they hold.
        Ranks hold different games. The driver averages gradients over them, so every rank must yield equally often,
        and averages that steer learning go through ``ranks.mean``.
        """

    @abstractmethod
    def parameter_groups(self) -> Sequence[ParameterGroup]:
        """What to optimise, and how fast. Asked anew at the start of each stage."""

    def give_each_agent_its_own_head(self) -> None:
        """Freeze the body of the policy network and give every agent its own copy of the head. Raises if unable."""
        raise NotImplementedError(
            f"host '{type(self).__name__}' has no policy head that could be copied for each agent"
        )


class ExplorationStrategy(Protocol):
    """How a team explores: each agent's individual policy, and the joint law that couples them.

    A wrapper (policy resonance, say) takes the individual policy of another strategy and changes the coupling.
    Schedules are functions of ``Progress``. Removing exploration means to act by ``log_policy`` alone.
    """

    Config: ClassVar[type[ExplorationConfig]]

    @abstractmethod
    def __init__(self, config: Any) -> None:
        """Set up from a config."""

    @property
    @abstractmethod
    def accepts(self) -> frozenset[Scores]:
        """Which scores it understands."""

    @property
    def redraw_every_step(self) -> bool:
        """Whether the team draws a new component at every step; by default once for an episode."""
        return False

    @abstractmethod
    def log_policy(
        self,
        scores: Float[Tensor, "*B N A"],
        legal: Bool[Tensor, "*B N A"] | None,
        progress: Progress,
    ) -> Float[Tensor, "*B N A"]:
        """The logarithm of each agent's individual policy, differentiable in the scores.

        Illegal actions get ``marl_core.exploration.softmax.ILLEGAL`` or less: finite, with probability exactly 0.
        """

    def joint_policy(
        self,
        scores: Float[Tensor, "*B N A"],
        legal: Bool[Tensor, "*B N A"] | None,
        progress: Progress,
    ) -> JointPolicy:
        """The law of the joint action while training; independent agents by default."""
        return JointPolicy.independent(self.log_policy(scores, legal, progress).exp())

    def component_weights(
        self, progress: Progress, device: torch.device | str = "cpu"
    ) -> Float[Tensor, "C"]:
        """The probability of each component of the joint policy: known before any score is."""
        return torch.ones(1, device=device)

    @property
    def component_names(self) -> tuple[str, ...]:
        """What the components are called where an episode is shown; by default they have no names."""
        return ()

    def entropy_coefficient(self, progress: Progress) -> float:
        """c_H of Eq. 1: the weight of the policy's mean entropy, which a host adds to what it maximises."""
        return 0.0

    def prepare_host(self, host: HostAlgorithm) -> None:
        """Change the host's networks at the start of a stage, as PR-Fast does. Most have nothing to change."""
        return
