"""Who plays the agents of a game that do not learn: a rule, a script, or a frozen run."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from marl_core.errors import UserError
from marl_envs.adapters.bystanders import Bystanders
from marl_envs.adapters.game import FROZEN, RULES, Behaviour, TeamView
from marl_envs.adapters.rows import Layout, Rows
from marl_envs.adapters.scripts import Script
from marl_envs.adapters.spaces import Sight
from marl_envs.adapters.views import view_of


class Opponent(NamedTuple):
    """Who plays some of the agents that do not learn.

    Attributes:
        team: what the names of these agents begin with.
        name: of a rule, ``frozen``, or of a script: ``module:function``.
    """

    team: str = ""
    name: str = "random"


class Opponents:
    """All agents of a game that do not learn, each played by the first who is named for it.

    Agents for whom nobody is named act at random.

    Args:
        env: the environment, of PettingZoo's parallel interface.
        learners: the names of the agents who learn.
        named: who plays the others.

    Raises:
        UserError: somebody is named for agents who are not there, or there is no such script.
    """

    def __init__(
        self,
        env: Any,
        learners: Sequence[str],
        named: Sequence[Opponent],
    ) -> None:
        others = [name for name in env.possible_agents if name not in set(learners)]
        parts = _parts(others, named)
        sights = {name: Sight.of(env.observation_space(name)) for name in others}
        actions = {name: env.action_space(name) for name in others}
        ruled: dict[str, Behaviour] = {}
        self._scripts: list[Script] = []
        self._views: list[TeamView] = []
        for opponent, names in parts:
            own = {name: sights[name] for name in names}
            spaces = {name: actions[name] for name in names}
            if opponent.name == FROZEN:
                view = view_of(
                    names,
                    list(own.values()),
                    list(spaces.values()),
                )
                self._views.append(view)
            elif opponent.name in RULES:
                ruled |= dict.fromkeys(names, _rule(opponent.name))
            else:
                self._scripts.append(Script(opponent.name, own, spaces))
        self._bystanders = Bystanders(
            {name: sights[name] for name in ruled},
            {name: actions[name] for name in ruled},
            ruled,
        )

    def layouts(self, of_team: Layout, *, masks: bool) -> tuple[Layout, ...]:
        """The shapes of the agents that frozen runs play.

        Args:
            of_team: of the agents who learn, in the same game.
            masks: whether infos say what is legal.
        """
        return tuple(
            replace(
                of_team,
                agents=view.names,
                features=view.features,
                actions=view.actions,
                state=0,
                masks=view.may_forbid(masks),
                box=view.box,
                frozen=(),
            )
            for view in self._views
        )

    def reset(self, seed: int) -> None:
        """Begin a game.

        Args:
            seed: of all draws of rules and scripts.
        """
        self._bystanders.reset(seed)
        for number, script in enumerate(self._scripts):
            script.reset(seed, number)

    def actions(
        self,
        living: Sequence[str],
        seen: Mapping[str, Any],
        infos: Mapping[str, Any],
        row: Rows,
    ) -> dict[str, Any]:
        """What the others do.

        Args:
            living: the names of all agents that are there.
            seen: what each of them sees.
            infos: what came with it.
            row: of the game; in it stands what frozen runs have chosen.

        Raises:
            UserError: a script fails, or says what cannot be done.
        """
        found = self._bystanders.actions(living, seen, infos)
        for script in self._scripts:
            found |= script.actions(living, seen, infos)
        for view, own in zip(self._views, row.frozen, strict=True):
            for index, name in enumerate(view.names):
                if name in living:
                    found[name] = view.decoded(own, index)
        return found

    def write(
        self,
        there: Collection[str],
        seen: Mapping[str, Any],
        infos: Mapping[str, Any],
        row: Rows,
    ) -> None:
        """Write what frozen runs see.

        Args:
            there: the names of all agents that are there.
            seen: what each of them sees.
            infos: what came with it.
            row: of the game.
        """
        for view, own in zip(self._views, row.frozen, strict=True):
            view.write_all(own, there, seen, infos)


def _parts(
    others: Sequence[str], named: Sequence[Opponent]
) -> Iterator[tuple[Opponent, list[str]]]:
    """The agents that each plays, in the environment's order."""
    left = list(others)
    for opponent in named:
        names = [name for name in left if name.startswith(opponent.team)]
        if not names:
            known = ", ".join(map(str, left)) or "nobody"
            message = f"'{opponent.name}' would play nobody"
            begins = f"no name of the agents left begins with '{opponent.team}'"
            raise UserError(f"opponents: {message}: {begins} (left are: {known})")
        left = [name for name in left if name not in names]
        yield opponent, names
    if left:
        yield Opponent(), left


def _rule(name: str) -> Behaviour:
    return "idle" if name == "idle" else "random"
