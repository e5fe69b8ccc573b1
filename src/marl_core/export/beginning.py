"""What a policy that is to be exported begins with: a look at its environment."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor

from marl_core.abilities import Closes, NamesActions
from marl_core.construction import build_environment
from marl_core.entity_rows import write_out_entities
from marl_core.errors import UserError
from marl_core.export.team_program import MEMORY, SEEN
from marl_core.observation_table import look_up, table_of
from marl_core.protocols import Environment
from marl_core.rng import generator
from marl_core.run_state import RunState


class Beginning(NamedTuple):
    """What a policy begins an episode with.

    Attributes:
        inputs: of the program, by name and in order, leading axis E.
        action_names: what the environment calls its actions; their numbers where it has no names.
    """

    inputs: dict[str, Tensor]
    action_names: list[str]


def beginning(state: RunState, games: int, seed: int = 0) -> Beginning:
    """The beginning of some episodes.

    Args:
        state: the run, as it is at a checkpoint.
        games: E, how many.
        seed: of the games.

    Raises:
        UserError: the host's memory begins with anything but zeros, and whoever runs the file would
            have to know with what; or there are more or fewer names than actions.
    """
    play = generator("cpu", state.config.seed, "export", seed)
    environment = build_environment(
        state.config.environment, games=games, device="cpu", generator=play
    )
    try:
        names = _action_names(environment, state.spec.actions)
        seen = _seen(environment)
    finally:
        if isinstance(environment, Closes):
            environment.close()
    memory = state.host.initial_memory(games)
    for name, value in memory.items():
        if bool((value != 0).any()):
            message = f"this host cannot be exported: its memory '{name}' begins with"
            raise UserError(f"{message} other numbers than zeros")
    remembered = {MEMORY + name: value.detach() for name, value in memory.items()}
    return Beginning({**seen, **remembered}, names)


def _action_names(environment: Environment, actions: int) -> list[str]:
    if not isinstance(environment, NamesActions):
        return [str(number) for number in range(actions)]
    names = [str(name) for name in environment.action_names]
    if len(names) != actions:
        kind = type(environment).__name__
        raise UserError(f"{kind} has {len(names)} action_names for {actions} actions")
    return names


def _seen(environment: Environment) -> dict[str, Tensor]:
    """What the agents see, with tables and rows of the game written out."""
    observation = environment.reset()
    table = table_of(environment)
    if table is not None:
        observation = look_up(observation, table)
    observation = write_out_entities(observation)
    found = {name: getattr(observation, name) for name in SEEN}
    return {name: value.clone() for name, value in found.items() if value is not None}
