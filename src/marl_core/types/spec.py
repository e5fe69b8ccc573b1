"""What an environment gives: the shapes by which networks are sized and configs are checked."""

from __future__ import annotations

from dataclasses import dataclass

from marl_core.types.box import Box


@dataclass(frozen=True)
class Level:
    """A part of a task whose reward is reported on its own, as FME's ``C1``.

    Attributes:
        name: unique in its environment.
        kind: levels of one kind are reported together, too.
    """

    name: str
    kind: str


@dataclass(frozen=True)
class EnvironmentSpec:
    """What an environment gives. Hosts size their networks by it, configs are checked by it.

    Attributes:
        agents: N.
        actions: A, how many actions there are; 0 where they are numbers in a box.
        max_steps: no episode lasts longer, in steps.
        features: O; None: agents see no features.
        entities: (K, F); None: agents see no entities.
        state_features: S; None: there is no state.
        table_rows: M, where agents can see no more than M x N distinct observations, which the
            environment lists (``marl_core.abilities.HasObservationTable``); None: it has no table.
        fixed_length: promises that every episode lasts exactly ``max_steps`` steps.
        individual_reward: each agent has a reward of its own.
        action_masks: some actions may be illegal.
        agents_die: agents may die before their game ends.
        wins: the task has a goal, and ``StepResult.won`` says which games reached it.
        levels: the parts of the task whose rewards are reported one by one.
        box: the numbers that an action consists of, in place of ``actions``; None: actions are
            discrete. With a box there is no table and no mask of actions.
        teams: the team of each agent, numbered from 0, where agents of several teams learn, each
            team against the others; None: they are one team.
    """

    agents: int
    actions: int
    max_steps: int
    features: int | None = None
    entities: tuple[int, int] | None = None
    state_features: int | None = None
    table_rows: int | None = None
    fixed_length: bool = False
    individual_reward: bool = False
    action_masks: bool = False
    agents_die: bool = False
    wins: bool = False
    levels: tuple[Level, ...] = ()
    box: Box | None = None
    teams: tuple[int, ...] | None = None
