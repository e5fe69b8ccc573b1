"""The protocols. A class that has a protocol's members fits; it need not inherit anything.

Three of them are the front of the house: ``Environment``, ``HostAlgorithm`` and
``ExplorationStrategy``. A strategy has two parts, each a protocol: the ``IndividualPolicy`` says
how often an agent takes each action, the ``Coupling`` says what the team shares. They meet in one
iteration of training like this::

    policy, coupling = exploration.individual, exploration.coupling
    observation = environment.reset()
    weights = coupling.weights(Moment(progress, device, observation))
    component = draw_components(weights, games, generator)             # what the team shares
    while games are on:
        scores, memory = host.scores(observation, memory)
        law = team_law(exploration, scores, observation.legal_actions(), progress, weights)
        actions = law.sampler().draw(component, generator)
        result = environment.step(actions)
    for loss in host.losses(rollout, policy, context):
        descend(loss.total)

An environment knows no learner, a host never samples an action, an exploration never sees a reward.
How parts are built from configs is another matter, and stands in ``marl_core.registry``. What a
part may do beyond its protocol is in ``marl_core.abilities``. ``marl_core.testing`` checks that
parts keep their word.

**Who owns a tensor.** What a method returns belongs to the caller: an implementation never writes
into it again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Protocol, runtime_checkable

from jaxtyping import Bool, Float, Int
from torch import Tensor

from marl_core.capabilities import CouplingNeeds, Holds, HostCapabilities, Scores
from marl_core.joint_policy import JointLaw
from marl_core.learning import LearningContext
from marl_core.types import (
    EnvironmentSpec,
    Loss,
    Memory,
    Moment,
    Observation,
    ParameterGroup,
    Progress,
    Rollout,
    StepResult,
)


@runtime_checkable
class Environment(Protocol):
    """E games of one task, stepped together as tensors on one device.

    Usage::

        environment = SomeEnvironment(config, games=512, device="cpu", generator=generator)
        observation = environment.reset()
        result = environment.step(actions)            # every game, also those that have ended
        observation = environment.reset(games=ended)  # starts those anew, and no others

    Games are independent of each other and are never reset by ``step``. All randomness comes from
    ``generator``.
    """

    @property
    def spec(self) -> EnvironmentSpec:
        """What this environment gives; constant."""

    def reset(self, games: Bool[Tensor, "E"] | None = None) -> Observation:
        """Start games anew.

        Args:
            games: which ones, ``[E]``; None: all of them. The others stay as they are.

        Returns:
            What the agents of every game see, leading axis E.
        """

    def step(self, actions: Int[Tensor, "E N"] | Float[Tensor, "E N D"]) -> StepResult:
        """Advance every game by one step.

        Args:
            actions: each agent's action, ``[E, N]``, from 0 to ``spec.actions - 1``; where
                ``spec.box`` is given, its numbers, ``[E, N, D]``, which lie in the box.

        Returns:
            What came of it, leading axis E.
        """


@runtime_checkable
class IndividualPolicy(Protocol):
    """What each agent does on its own: from a host's scores to the frequencies of its actions.

    Schedules are functions of ``Progress``. A policy draws nothing and keeps nothing between calls.
    A policy over numbers in a box has densities in place of a table
    (``marl_core.abilities.StatesDensities``), and its ``log_policy`` refuses.
    """

    @property
    def accepts(self) -> frozenset[Scores]:
        """Which scores it understands."""

    def log_policy(
        self,
        scores: Float[Tensor, "*B N A"],
        legal: Bool[Tensor, "*B N A"] | None,
        progress: Progress,
    ) -> Float[Tensor, "*B N A"]:
        """The logarithm of each agent's own policy, differentiable in the scores.

        Args:
            scores: the host's, ``[*B, N, A]``.
            legal: which actions are legal, ``[*B, N, A]``, at least one for each agent; None: all
                of them.
            progress: how far the run is.

        Returns:
            ``[*B, N, A]``. Illegal actions get ``marl_core.exploration.softmax.ILLEGAL`` or less: a
            finite number whose exponential is exactly 0.
        """

    def entropy_coefficient(self, progress: Progress) -> float:
        """The weight c_H of the policy's mean entropy (Eq. 1), which a host adds to what it
        maximises.

        Args:
            progress: how far the run is.
        """


@runtime_checkable
class Coupling(Protocol):
    """What a team shares: from individual policies to the law of the joint action.

    The law is a mixture. The team draws a *component* and, given the component, its agents act by
    the law that the coupling states. The kernel alone samples, so a coupling cannot do anything but
    what it states.

    Contract:
        - ``weights`` states the probabilities of the components, and nothing else states them:
          ``law`` is given them.
        - Weights may depend on the moment of the draw, and be learnt: see
          ``marl_core.abilities.LearnsItself``.
        - Summed over the components, each agent's law is its individual policy (Eq. 16), wherever
          the coupling does not say otherwise.
        - Components may have scores of their own: with ``needs.component_scores = C`` the policies
          that ``law`` gets have a leading axis C, and the individual policy of an agent is the mean
          of the C by the weights.
        - Given the component, agents may act independently (``JointPolicy``) or one after the other
          (``SequentialPolicy``).
        - Where actions are numbers in a box, the law is one of densities, and ``density_law``
          states it in place of ``law`` (``marl_core.abilities.CouplesDensities``).
    """

    @property
    def component_names(self) -> tuple[str, ...]:
        """A name for each component, for logs and pages; empty where there is one component
        alone.
        """

    @property
    def holds(self) -> Holds:
        """Whether a drawn component holds for the whole episode, or is drawn anew at every step."""

    @property
    def needs(self) -> CouplingNeeds:
        """What it asks of a host and of the collector."""

    def weights(self, moment: Moment) -> Float[Tensor, "*E C"]:
        """The probability of each component.

        Args:
            moment: what is known when the team draws.

        Returns:
            ``[C]`` where all games have the same, or ``[E, C]``; on ``moment.device``.
        """

    def law(
        self,
        policies: Float[Tensor, "*B N A"],
        weights: Float[Tensor, "*E C"],
        progress: Progress,
    ) -> JointLaw:
        """The law of the joint action.

        Args:
            policies: every agent's individual policy, ``[*B, N, A]``, as probabilities; ``[C, *B,
                N, A]`` with component scores.
            weights: what ``weights`` said when the components were drawn.
            progress: how far the run is.
        """


@runtime_checkable
class ExplorationStrategy(Protocol):
    """How a team explores: an individual policy and a coupling.

    ``CoupledExploration`` composes any two.
    """

    @property
    def individual(self) -> IndividualPolicy:
        """What each agent does on its own."""

    @property
    def coupling(self) -> Coupling:
        """What the team shares."""


@runtime_checkable
class HostAlgorithm(Protocol):
    """A learner: observations to scores, rollouts to losses.

    It never samples an action and does not know what the team shares: the individual policy says
    what its scores mean, for acting and for learning alike. ``marl_core.hosts.base.HostModule`` is
    a base on ``nn.Module`` that a host may use; a host without it needs all the members below.
    """

    @property
    def capabilities(self) -> HostCapabilities:
        """What it gives and needs."""

    def initial_memory(self, games: int) -> Memory:
        """The memory at the start of an episode.

        Args:
            games: E, how many games.

        Returns:
            Tensors with leading axis E; empty for a host that remembers nothing.
        """

    def scores(
        self, observation: Observation, memory: Memory
    ) -> tuple[Float[Tensor, "*B N A"], Memory]:
        """Score every action of every agent.

        Args:
            observation: what the agents see, leading axes ``*B``.
            memory: the host's memory before this step, leading axis E.

        Returns:
            The scores ``[*B, N, A]``, and the memory for the next step. Where actions are numbers
            in a box, what ``capabilities.box_scores`` says stands in place of the A scores.
        """

    def losses(
        self, rollout: Rollout, policy: IndividualPolicy, context: LearningContext
    ) -> Iterator[Loss]:
        """Learn from a rollout: yield a loss for each optimisation step, taken before the next is
        asked for.

        Args:
            rollout: whole episodes. Off-policy, they are of earlier policies, and without the
                host's own memory.
            policy: the team's individual policy.
            context: the ranks that learn together, and how losses are evaluated. Ranks hold
                different games. The driver averages gradients over them, so every rank must yield
                equally often, and averages that steer learning go through ``context.ranks.mean``.
        """

    def parameter_groups(self) -> Sequence[ParameterGroup]:
        """What to optimise, and how fast. Asked anew at the start of each stage."""

    def state_dict(self) -> dict[str, Any]:
        """All tensors that learning changes, by name."""

    def load_state_dict(self, state: Any) -> Any:
        """Continue where ``state_dict`` was taken.

        Args:
            state: what ``state_dict`` gave.
        """
