"""What the parts of a run give and need, known before any of them is built, so that a config can be
refused.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, Protocol, runtime_checkable

from marl_core.types import EnvironmentSpec

#: What a host's scores are: unnormalised log-probabilities, or action values. Or, where actions are
#: D numbers in a box, D means and then D logarithms of standard deviations, in half widths of the
#: box from its centre.
Scores = Literal["logits", "values", "gaussian"]
#: The parts of an observation that a host may need.
Sight = Literal["features", "entities", "state"]
#: How long a drawn component holds.
Holds = Literal["episode", "step"]


@dataclass(frozen=True)
class ReplaySettings:
    """How an off-policy host learns from the past, in episodes summed over all ranks.

    Attributes:
        capacity: how many of the newest episodes are kept.
        batch: how many different ones of them the host gets at a time.
        batches: how many times it gets some after every collection; each is drawn anew.
        steps: how many single steps of all kept episodes it gets at a time, in place of ``batch``
            episodes, once as many episodes are kept: pieces of one step (``Rollout.pieces``). None:
            it gets whole episodes.
    """

    capacity: int
    batch: int
    batches: int = 1
    steps: int | None = None


@dataclass(frozen=True)
class HostCapabilities:
    """What a host gives, and what it needs.

    Attributes:
        scores: what its network's outputs are.
        needs: the parts of an observation without which it cannot work.
        memory: whether its scores depend on more than the observation: it remembers something
            between steps.
        own_heads: whether it can give every agent a policy head of its own (``HasOwnHeads``).
        head_groups: whether it can have agents share these heads at first (``SharesHeads``).
        component_scores: whether it can score actions for each component of a team's law
            (``HasComponentScores``).
        entity_rows: whether it takes entities as rows of the game that agents' indices point to
            (``marl_core.entity_rows``). To another host they are written out for every agent.
        replay: what an off-policy host learns from; None: the host is on-policy and learns from the
            newest rollout.
        pieces: whether it learns from pieces of episodes, too (``Rollout.pieces``). A host that
            remembers something then finds what it remembered in ``rollout.memory``.
        box_scores: what its network's outputs are where actions are numbers in a box; None: it
            takes discrete actions alone.
    """

    scores: Scores
    needs: frozenset[Sight] = field(default=frozenset({"features"}))
    memory: bool = False
    own_heads: bool = False
    head_groups: bool = False
    component_scores: bool = False
    entity_rows: bool = False
    replay: ReplaySettings | None = None
    pieces: bool = False
    box_scores: Scores | None = None

    def scores_in(self, spec: EnvironmentSpec) -> Scores:
        """What its network's outputs are in an environment whose actions it can take.

        Args:
            spec: what the environment gives.
        """
        return self.scores if spec.box is None else self.box_scores or self.scores


@dataclass(frozen=True)
class CouplingNeeds:
    """What a coupling asks of a host and of the collector.

    Attributes:
        own_heads: every agent needs a policy head of its own, and the body of the policy network is
            frozen.
        head_groups: these heads are shared at first, by groups of agents that the coupling states
            (``GroupsHeads``).
        component_scores: how many components need scores of their own; 0: all components share the
            host's scores.
        whole_game: the law depends on more than each agent's own observation, as on the state of
            the game or on the actions of other agents. Then it is evaluated for every game, and not
            once for each distinct observation.
    """

    own_heads: bool = False
    head_groups: bool = False
    component_scores: int = 0
    whole_game: bool = False


@runtime_checkable
class DeclaresSpec(Protocol):
    """An environment's config that knows the shapes, so that nobody has to build a game to learn
    them.
    """

    def spec(self) -> EnvironmentSpec:
        """What the environment of this config gives."""


@runtime_checkable
class DeclaresCapabilities(Protocol):
    """A host's config that says what the host gives and needs."""

    @property
    def capabilities(self) -> HostCapabilities:
        """What the host of this config gives and needs."""


@runtime_checkable
class DeclaresNeeds(Protocol):
    """A coupling's config that says what the coupling asks of a host.

    Without it the coupling asks for nothing.
    """

    @property
    def needs(self) -> CouplingNeeds:
        """What the coupling of this config asks for."""
