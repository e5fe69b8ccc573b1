"""Several teams in one game, each of which shares what a coupling says, apart from the others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Final, Self, final

import torch
from jaxtyping import Bool, Float, Int
from pydantic import Field, model_validator
from torch import Tensor, nn

from marl_core.abilities import Departs, GroupsHeads
from marl_core.base_config import MOST_AT_ONCE, ExplorationConfig, mistake
from marl_core.capabilities import CouplingNeeds, Holds
from marl_core.config.named import CouplingConfig, Named
from marl_core.construction import build_coupling, coupling_needs
from marl_core.errors import UserError
from marl_core.joint_policy import JointPolicy
from marl_core.protocols import Coupling
from marl_core.types import EnvironmentSpec, Moment, Progress

#: A law is written out for each of its components: 8 teams with a coin each have as many.
MOST_COMPONENTS: Final = 256
_Team = Annotated[int, Field(ge=0, lt=MOST_AT_ONCE)]


class PerTeamConfig(CouplingConfig):
    """What each team shares, and who is of which team."""

    name: str = "per_team"
    coupling: Annotated[ExplorationConfig, Named("coupling")] = Field(
        description="What each team shares, independently of the others."
    )
    teams: tuple[_Team, ...] | None = Field(
        default=None,
        max_length=MOST_AT_ONCE,
        description="The team of each agent, numbered from 0; by default as the environment has "
        "them.",
    )

    @model_validator(mode="after")
    def _one_individual_policy(self) -> Self:
        inner = self.coupling
        if isinstance(inner, CouplingConfig) and inner.individual is not None:
            message = "'individual' stands beside 'coupling': all teams have the same"
            raise mistake(message, "coupling", "individual")
        return self

    @property
    def needs(self) -> CouplingNeeds:
        """What the coupling of a team asks for."""
        return coupling_needs(self.coupling)


@final
class PerTeam:
    """A coupling for each team of a game: a coin for each of them, under policy resonance.

    A team's coupling has the components c with the weights w(c), and given c its agents act by
    p_i(.|c). Here G teams draw independently, so the components are all (c_1, ..., c_G)::

        w(c_1, ..., c_G) = w(c_1) ... w(c_G)        p_i(.|c_1, ..., c_G) = p_i(.|c_g(i))

    where g(i) is the team of agent i. Summed over the components, the other teams' weights sum to
    1, and an agent's frequencies are those under its own team's coupling: Eq. 16 holds exactly
    where that keeps it.

    Usage::

        PerTeam.over(PolicyResonance(eta_max=0.75), teams=(0, 0, 1, 1))

    Args:
        config: the settings.
        spec: what the environment gives; its ``teams``, where the settings name none.

    Raises:
        UserError: nobody says who is of which team, or what is said fits no game of ``spec``; or
            the coupling is one that teams cannot have apart from each other.
    """

    Config = PerTeamConfig

    def __init__(self, config: PerTeamConfig, spec: EnvironmentSpec) -> None:
        teams = spec.teams if config.teams is None else config.teams
        if teams is None:
            message = "the environment has one team alone; 'teams' says who is of which"
            raise UserError(f"per_team: {message} (as [0, 0, 1, 1])")
        if len(teams) != spec.agents:
            message = f"teams are given for {len(teams)} agents, and there are"
            raise UserError(f"per_team: {message} {spec.agents}")
        self._set_up(build_coupling(config.coupling, spec), teams)

    @classmethod
    def over(cls, coupling: Coupling, teams: Sequence[int]) -> Self:
        """The same by hand.

        Args:
            coupling: what each team shares.
            teams: the team of each agent, ``[N]``, numbered from 0.

        Raises:
            UserError: as above.
        """
        made = cls.__new__(cls)
        made._set_up(coupling, teams)
        return made

    def _set_up(self, coupling: Coupling, teams: Sequence[int]) -> None:
        count = max(teams) + 1
        missing = sorted(set(range(count)) - set(teams))
        if missing:
            raise UserError(f"per_team: nobody is of team {missing[0]}")
        if coupling.needs.component_scores or isinstance(coupling, nn.Module):
            message = "has components with scores of their own, or learns"
            raise UserError(f"per_team: '{type(coupling).__name__}' {message}")
        self._inner = coupling
        self._components = max(1, len(coupling.component_names))
        together = self._components**count
        if together > MOST_COMPONENTS:
            each = f"{self._components} components for each of {count} teams"
            message = f"are {together} together, and {MOST_COMPONENTS} is most"
            raise UserError(f"per_team: {each} {message}")
        self._teams = torch.tensor(teams)
        own = [torch.arange(self._components)] * count
        self._drawn = torch.cartesian_prod(*own).view(together, count)

    @property
    def component_names(self) -> tuple[str, ...]:
        """What each team has drawn, in their order: ``in resonance + not in resonance``."""
        names = self._inner.component_names
        return tuple(
            " + ".join(names[one] for one in drawn)
            for drawn in self._drawn.tolist()
            if names
        )

    @property
    def holds(self) -> Holds:
        """As long as what a team draws by its own coupling."""
        return self._inner.holds

    @property
    def needs(self) -> CouplingNeeds:
        """What the coupling of a team asks for."""
        return self._inner.needs

    def weights(self, moment: Moment) -> Float[Tensor, "*E K"]:
        """The probability of each combination of what the teams have drawn.

        Args:
            moment: what is known when the teams draw.

        Returns:
            ``[K]`` or ``[E, K]``, where K is C to the power of G; the last team's draw changes
            fastest.
        """
        each = self._inner.weights(moment)
        drawn = self._drawn.to(each.device)
        return each[..., drawn].prod(-1)

    def law(
        self,
        policies: Float[Tensor, "*B N A"],
        weights: Float[Tensor, "*E K"],
        progress: Progress,
    ) -> JointPolicy:
        """Each agent acts by what its own team has drawn.

        Args:
            policies: every agent's individual policy, ``[*B, N, A]``.
            weights: what ``weights`` said when the teams drew.
            progress: how far the run is.

        Raises:
            UserError: agents of a team act one after the other.
        """
        # Those of the first team: the weights of all others sum to 1.
        each = weights.unflatten(-1, (self._components, -1)).sum(-1)
        law = self._inner.law(
            policies,
            each,
            progress,
        )
        if not isinstance(law, JointPolicy):
            name = type(self._inner).__name__
            message = "has agents act one after the other, which teams cannot do apart"
            raise UserError(f"per_team: '{name}' {message}")
        drawn = self._drawn_by_agents(policies.device)
        agents = torch.arange(drawn.shape[1], device=drawn.device)
        chosen = law.components.movedim(-2, 1)[drawn, agents]
        return JointPolicy(
            policies,
            chosen.movedim(1, -2),
            weights,
        )

    def _drawn_by_agents(self, device: torch.device) -> Int[Tensor, "K N"]:
        """What each agent's team has drawn in each component."""
        return self._drawn[:, self._teams].to(device)

    def departs(
        self, individual: Float[Tensor, "*B N A"], progress: Progress
    ) -> Bool[Tensor, "*B N"]:
        """The agents for which their team's coupling gives up Eq. 16.

        Args:
            individual: every agent's individual policy, ``[*B, N, A]``.
            progress: how far the run is.
        """
        if isinstance(self._inner, Departs):
            return self._inner.departs(individual, progress)
        return individual.new_zeros(individual.shape[:-1], dtype=torch.bool)

    def head_groups(self, agents: int, progress: Progress) -> tuple[int, ...]:
        """Which agents share a head: as the coupling of a team says; else none do.

        Args:
            agents: N.
            progress: how far the run is.
        """
        if isinstance(self._inner, GroupsHeads):
            return self._inner.head_groups(agents, progress)
        return tuple(range(agents))
