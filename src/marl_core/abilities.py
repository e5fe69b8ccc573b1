"""What a part may be able to do beyond its protocol.

Each ability is a small protocol that a class fits by its members.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol, runtime_checkable

from jaxtyping import Bool, Float
from torch import Tensor

from marl_core.densities.agents import Densities
from marl_core.densities.law import DensityLaw
from marl_core.joint_policy import JointPolicy
from marl_core.learning import LearningContext
from marl_core.types import (
    Loss,
    Memory,
    Observation,
    ParameterGroup,
    Progress,
    Rollout,
)


@runtime_checkable
class HasObservationTable(Protocol):
    """An environment whose agents can see few distinct things, all of which it lists.

    ``Observation.row`` then says which row of the table each agent sees, and a network
    without memory is evaluated once for each distinct observation in place of once for each sample.
    """

    @property
    def distinct_observations(self) -> Observation:
        """The table, leading axes ``[M, N]``; constant."""


@runtime_checkable
class SavesState(Protocol):
    """An environment whose games can be saved in the middle.

    An update of whole episodes begins with ``reset``, so training resumes exactly without it. Pages
    of an episode's states need it, and so does an exact resume of a run that learns from pieces of
    episodes (``training.rollout_steps``).
    """

    def state_dict(self) -> dict[str, Tensor]:
        """Everything that changes in play, but for the generator."""

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Continue where ``state_dict`` was taken.

        Args:
            state: what ``state_dict`` gave.
        """


@runtime_checkable
class RebuildsMemory(Protocol):
    """A host that can tell from whole episodes what it remembered in them.

    The collector then keeps no memory in the rollout, which may take much room.
    """

    def memory_before(self, rollout: Rollout, steps: Sequence[int]) -> Memory:
        """The host's memory before some steps, as ``scores`` gave it while the games were played.

        Args:
            rollout: whole episodes.
            steps: S of them.

        Returns:
            Tensors with leading axes S E.
        """


@runtime_checkable
class Closes(Protocol):
    """An environment that holds something which must be given back: processes, files, a
    simulator.
    """

    def close(self) -> None:
        """Give everything back. Nothing is called afterwards."""


@runtime_checkable
class NamesActions(Protocol):
    """An environment whose actions have names, for people and for exported policies."""

    @property
    def action_names(self) -> Sequence[str]:
        """A name for each of ``spec.actions``."""


@runtime_checkable
class HasExactReward(Protocol):
    """An environment that knows the expected reward of any joint policy in closed form."""

    def expected_rewards(self, joint: JointPolicy) -> Float[Tensor, "L"]:
        """The expected team reward at each of ``spec.levels``.

        Args:
            joint: how the team acts in each row of the table of distinct observations, leading axis
                M.
        """


@runtime_checkable
class HasOwnHeads(Protocol):
    """A host that can give every agent a policy head of its own (PR-Fast, Section 6.1)."""

    def give_each_agent_its_own_head(self) -> None:
        """Freeze the body of the policy network and give every agent its own copy of the head."""


@runtime_checkable
class SharesHeads(HasOwnHeads, Protocol):
    """A host whose agents can share their own heads by groups, which are divided step by step."""

    def share_heads(self, groups: Sequence[int]) -> None:
        """Have the agents of a group share one head, from now on.

        Agents that part have equal heads then, so that no policy changes.

        Args:
            groups: the group of each agent. Each group lies in one of the groups before.

        Raises:
            UserError: the host's settings rule it out, and so its capabilities do not have
                ``head_groups``.
        """


@runtime_checkable
class GroupsHeads(Protocol):
    """A coupling that has agents share their own heads by groups."""

    def head_groups(self, agents: int, progress: Progress) -> tuple[int, ...]:
        """The group of each agent; in a stage, groups are divided and never joined.

        Args:
            agents: N.
            progress: how far the run is.
        """


@runtime_checkable
class Departs(Protocol):
    """A coupling that gives up Eq. 16 for some agents on purpose, and says for which."""

    def departs(
        self, individual: Float[Tensor, "*B N A"], progress: Progress
    ) -> Bool[Tensor, "*B N"]:
        """The agents whose frequencies are not those of their individual policies.

        Args:
            individual: every agent's individual policy, ``[*B, N, A]``.
            progress: how far the run is.
        """


@runtime_checkable
class StatesDensities(Protocol):
    """An individual policy over numbers in a box (``EnvironmentSpec.box``).

    Its ``log_policy`` refuses: there is no table of probabilities.
    """

    def densities(
        self, scores: Float[Tensor, "*B N S"], progress: Progress
    ) -> Densities:
        """Each agent's own density of actions, differentiable in the scores.

        Args:
            scores: the host's, ``[*B, N, S]``: for ``gaussian`` ones S is 2 D.
            progress: how far the run is.
        """


@runtime_checkable
class CouplesDensities(Protocol):
    """A coupling that can state the law of a team whose actions are numbers in boxes."""

    def density_law(
        self,
        individual: Densities,
        weights: Float[Tensor, "*E C"],
        progress: Progress,
    ) -> DensityLaw:
        """The law of the joint action.

        Args:
            individual: every agent's own policy.
            weights: what ``weights`` said when the components were drawn.
            progress: how far the run is.
        """


@runtime_checkable
class DepartsFromDensities(CouplesDensities, Protocol):
    """A coupling that gives up Eq. 16 for densities on purpose, and says when."""

    def departs_from_densities(self, progress: Progress) -> bool:
        """Whether agents' densities over all components may differ from their own policies'.

        Args:
            progress: how far the run is.
        """


@runtime_checkable
class HasComponentScores(Protocol):
    """A host that can score actions for each component of a team's law: a latent variable that the
    team shares.

    ``scores`` then is what the team acts by in evaluation, without the latent variable. In
    ``losses`` the host finds the component that each team had drawn in ``rollout.component``.
    """

    def score_components(self, count: int) -> None:
        """Prepare for a number of components, at the start of a stage.

        Args:
            count: C, the number of components.
        """

    def component_scores(
        self, observation: Observation, memory: Memory
    ) -> tuple[Float[Tensor, "C *B N A"], Memory]:
        """Score every action of every agent, in each component.

        Args:
            observation: what the agents see, leading axes ``*B``.
            memory: the host's memory before this step.

        Returns:
            The scores ``[C, *B, N, A]``, and the memory for the next step.
        """


@runtime_checkable
class LearnsItself(Protocol):
    """A coupling whose weights are learnt.

    It is an ``nn.Module`` too, so that its parameters are saved with the run.
    """

    def parameter_groups(self) -> Sequence[ParameterGroup]:
        """What to optimise, and how fast. Asked anew at the start of each stage."""

    def losses(self, rollout: Rollout, context: LearningContext) -> Iterator[Loss]:
        """Learn from a rollout, after the host has: yield a loss for each optimisation step.

        Args:
            rollout: whole episodes; ``rollout.component`` says what each team had drawn.
            context: the ranks that learn together, and how losses are evaluated.
        """
