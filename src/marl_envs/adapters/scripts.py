"""Opponents that a function of the user's plays."""

from __future__ import annotations

import importlib
import inspect
import traceback
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from typing import Any, final

import numpy as np
from gymnasium import spaces

from marl_core.errors import UserError, suggestion
from marl_envs.adapters.spaces import Sight

#: What each agent sees, what is legal for it, a generator: what each of them does.
Act = Callable[
    [Mapping[str, Any], Mapping[str, np.ndarray | None], np.random.Generator],
    Mapping[str, Any],
]


def script_named(name: str) -> Callable[..., Any]:
    """The function or class that a name stands for.

    Args:
        name: ``module:function``.

    Raises:
        UserError: there is no such module, or nothing in it that could be called.
    """
    module_name, _, wanted = name.partition(":")
    try:
        module = importlib.import_module(module_name)
    except Exception as error:
        reason = f"{type(error).__name__}: {_one_line(error)}"
        raise UserError(f"opponents '{name}' cannot be imported: {reason}") from error
    if wanted not in vars(module):
        hint = suggestion(wanted, vars(module))
        raise UserError(f"opponents '{name}': the module has no '{wanted}'{hint}")
    found = vars(module)[wanted]
    if not callable(found):
        raise UserError(f"opponents '{name}': that is no function")
    made: Callable[..., Any] = found
    return made


@final
class Script:
    """Agents of one game that a function of the user's plays.

    Args:
        name: ``module:function``. A class is called without arguments at each beginning of a game
            and gives such a function, which may remember what it saw.
        sights: what each of its agents sees, by name: masks say what is legal.
        actions: the space of each one's actions, by name.

    Raises:
        UserError: there is no such function.
    """

    def __init__(
        self,
        name: str,
        sights: Mapping[str, Sight],
        actions: Mapping[str, spaces.Space[Any]],
    ) -> None:
        self._name = name
        self._made = script_named(name)
        self._sights = sights
        # Copies, because the environment may change or lose its own.
        self._actions = {one: deepcopy(space) for one, space in actions.items()}
        self._act: Act = self._made

    def reset(self, seed: int, number: int) -> None:
        """Begin a game.

        Args:
            seed: of the game.
            number: of the script in it: each has a stream of its own.
        """
        stream = np.random.SeedSequence(seed, spawn_key=(number,))
        self._generator = np.random.default_rng(stream)
        if inspect.isclass(self._made):
            self._act = self._called(self._made)

    def actions(
        self,
        living: Sequence[str],
        seen: Mapping[str, Any],
        infos: Mapping[str, Any],
    ) -> dict[str, Any]:
        """What its agents do.

        Args:
            living: the names of all agents that are there.
            seen: what each of them sees.
            infos: what came with it.

        Raises:
            UserError: the function fails, or what it says cannot be done.
        """
        own = [name for name in living if name in self._sights]
        if not own:
            return {}
        views = {name: seen[name] for name in own}
        legal = {
            name: self._sights[name].mask(seen[name], infos.get(name)) for name in own
        }
        said = self._called(
            self._act,
            views,
            legal,
            self._generator,
        )
        if not isinstance(said, Mapping):
            kind = type(said).__name__
            raise self._nonsense(f"gives a {kind}, not each agent's action by its name")
        if set(said) != set(own):
            found = ", ".join(map(str, said)) or "nobody"
            raise self._nonsense(f"was asked for {', '.join(own)} and says {found}")
        checked = {}
        for name in own:
            action = self._checked(name, said[name], legal[name])
            checked[name] = action
        return checked

    def _checked(self, name: str, action: Any, legal: np.ndarray | None) -> Any:
        """An action as the environment takes it."""
        space = self._actions[name]
        if isinstance(space, spaces.Discrete) and isinstance(action, np.integer | int):
            number = int(action) - int(space.start)
            if legal is not None and space.contains(int(action)) and not legal[number]:
                raise self._nonsense(f"has {name} do {action}, which is not legal now")
            action = int(action)
        elif isinstance(space, spaces.Box | spaces.MultiDiscrete):
            action = _as_array(action, space)
        if not space.contains(action):
            raise self._nonsense(f"has {name} do {action!r}, which is not in {space}")
        return action

    def _called(self, function: Callable[..., Any], *args: Any) -> Any:
        try:
            return function(*args)
        except Exception as error:
            last = traceback.extract_tb(error.__traceback__)[-1]
            reason = f"{type(error).__name__}: {_one_line(error)}"
            place = f"{last.filename}:{last.lineno}"
            raise UserError(f"opponents '{self._name}': {reason} ({place})") from error

    def _nonsense(self, what: str) -> UserError:
        return UserError(f"opponents '{self._name}': it {what}")


def _as_array(action: Any, space: spaces.Box | spaces.MultiDiscrete) -> Any:
    """An action in the type of its space, where it can be."""
    try:
        return np.asarray(action, space.dtype)
    except (TypeError, ValueError, OverflowError):
        return action


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()) or "no reason given"
