"""From the name of an environment to a game of it.

The libraries are imported when the first game is made: without them everything else works.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from types import ModuleType
from typing import Any, Final

from marl_core.errors import UserError
from marl_envs.adapters.game import Game

_MODULE: Final = re.compile(r"[A-Za-z_][\w.]*(:[A-Za-z_]\w*)?")
#: The one function that a config can have called. Any other might do anything.
_MAKER: Final = "parallel_env"


def pettingzoo_game(
    name: str,
    arguments: Mapping[str, Any],
    teams: Sequence[str],
    others: Sequence[tuple[str, str]],
    max_steps: int | None,
    *,
    with_state: bool,
    rebuild: bool,
) -> Game:
    """A game of PettingZoo's parallel interface.

    Args:
        name: of the module with ``parallel_env``, ``mpe2:simple_spread_v3`` or, just as well,
            ``mpe2.simple_spread_v3``; or as PettingZoo registers it, ``sisl/pursuit-v5``.
        arguments: of ``parallel_env``.
        teams: what the names of the agents who learn begin with, of one team or of several.
        others: who plays the other agents: what their names begin with, and the name of a rule,
            ``frozen``, or ``module:function``.
        max_steps: after which the game is cut; None: as the environment itself says.
        with_state: whether its global state is wanted.
        rebuild: whether every game is played in an environment made anew.

    Raises:
        UserError: there is no such environment, or it cannot be learnt in.
    """
    imported("gymnasium", "gymnasium")
    from marl_envs.adapters.opponents import Opponent
    from marl_envs.adapters.parallel_game import ParallelGame

    make = partial(_made_by_pettingzoo, name, arguments)
    return ParallelGame(
        make,
        teams,
        [Opponent(*one) for one in others],
        max_steps,
        with_state=with_state,
        rebuild=rebuild,
    )


def gymnasium_game(
    name: str,
    arguments: Mapping[str, Any],
    max_steps: int | None,
    *,
    rebuild: bool,
) -> Game:
    """A game of Gymnasium's interface for a team.

    Args:
        name: as ``gymnasium.make`` takes it: a module to import, a colon, and what it registers.
        arguments: of the environment.
        max_steps: after which the game is cut; None: as the environment itself says.
        rebuild: whether every game is played in an environment made anew.

    Raises:
        UserError: there is no such environment, or it cannot be learnt in.
    """
    gymnasium = imported("gymnasium", "gymnasium")
    from marl_envs.adapters.tuple_game import TupleGame

    # Its checker asks for one reward a step, and teams have one for each agent.
    settings = {**arguments, "disable_env_checker": True}
    make = partial(made, name, partial(gymnasium.make, name), settings)
    return TupleGame(make, max_steps, rebuild=rebuild)


def _made_by_pettingzoo(name: str, arguments: Mapping[str, Any]) -> Any:
    if "/" in name:
        registry = imported("pettingzoo", "pettingzoo")
        return made(name, partial(registry.make, "parallel", name), arguments)
    if not _MODULE.fullmatch(name):
        raise UserError(f"'{name}' is no module, as mpe2:simple_spread_v3 is")
    module = imported(name.replace(":", "."), name)
    make = getattr(module, _MAKER, None)
    if not callable(make):
        raise UserError(f"'{name}' has no {_MAKER}: PettingZoo's environments have one")
    return made(name, make, arguments)


def made(name: str, make: Callable[..., Any], arguments: Mapping[str, Any]) -> Any:
    """What a library's maker gives.

    Args:
        name: of the environment, for messages.
        make: the maker.
        arguments: what it is called with.

    Raises:
        UserError: the maker refuses.
    """
    try:
        return make(**arguments)
    except Exception as error:
        reason = " ".join(str(error).split())
        message = f"'{name}' cannot be made: {type(error).__name__}: {reason}"
        raise UserError(message) from error


def imported(module: str, name: str) -> ModuleType:
    """A module of a library that is not installed with this project.

    Args:
        module: its full name.
        name: what was asked for, for messages.

    Raises:
        UserError: it is not installed, or cannot be imported.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        package = module.partition(".")[0]
        missing = error.name or package
        advice = f"pip install {missing}" if missing == package else f"no '{missing}'"
        raise UserError(f"'{name}' cannot be imported: {advice}") from error
