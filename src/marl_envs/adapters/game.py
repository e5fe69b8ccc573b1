"""One game of another library, as the adapters see it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol, final, get_args

from marl_envs.adapters.bounds import Bounds
from marl_envs.adapters.rows import Layout, Rows

if TYPE_CHECKING:
    from marl_envs.adapters.boxes import Reach
    from marl_envs.adapters.spaces import Choice, Sight


#: What agents do by a rule: draw any legal action, or take the first one.
Behaviour = Literal["random", "idle"]
#: The names of these rules.
RULES: Final[tuple[str, ...]] = get_args(Behaviour)
#: The name of opponents that a run of this framework plays.
FROZEN: Final = "frozen"


class Game(Protocol):
    """One game, which writes what it says into a row."""

    @property
    def layout(self) -> Layout:
        """Its shapes; constant."""

    def reset(self, seed: int, row: Rows) -> None:
        """Start anew.

        Args:
            seed: of everything that is random until the next reset.
            row: of this game; reward and ends are left alone.
        """

    def step(self, row: Rows) -> None:
        """Advance by a step, by the row's actions.

        Args:
            row: of this game.
        """

    def close(self) -> None:
        """Give everything back."""


@final
class TeamView:
    """Writes what a team sees into rows, padded to one shape.

    Args:
        names: of the agents.
        sights: what each of them sees.
        choices: what each of them may do; none where ``reaches`` are given.
        reaches: the numbers that each of them may choose, in place of ``choices``.
        box: of the whole team, where there are ``reaches``.
    """

    def __init__(
        self,
        names: Sequence[str],
        sights: Sequence[Sight],
        choices: Sequence[Choice],
        reaches: Sequence[Reach] = (),
        box: Bounds | None = None,
    ) -> None:
        self.names = tuple(names)
        self.choices = tuple(choices)
        self.box = box
        self._reaches = tuple(reaches)
        self._sights = tuple(sights)
        self.features = max(sight.size for sight in sights)
        self.actions = max((choice.count for choice in choices), default=0)
        # What is legal is said of actions that are counted, and of no numbers.
        masked = any(sight.has_mask for sight in sights)
        self.has_masks = masked and box is None
        self.differ = any(choice.count != self.actions for choice in choices)

    def may_forbid(self, masks: bool) -> bool:
        """Whether some actions may be illegal.

        Args:
            masks: whether infos say what is legal.
        """
        return self.box is None and (masks or self.has_masks or self.differ)

    def write(self, row: Rows, index: int, seen: Any, info: Any) -> None:
        """Write what a living agent sees and may do.

        Args:
            row: of the game.
            index: of the agent.
            seen: its observation.
            info: that came with the observation.
        """
        sight = self._sights[index]
        vector = sight.vector(seen)
        row.features[index, : len(vector)] = vector
        row.alive[index] = True
        if self.box is not None:
            return
        legal = row.legal[index]
        legal[:] = False
        count = self.choices[index].count
        mask = sight.mask(seen, info)
        legal[:count] = True if mask is None else mask[:count]

    def write_all(
        self,
        row: Rows,
        there: Collection[str],
        seen: Mapping[str, Any],
        infos: Mapping[str, Any],
    ) -> None:
        """Write what each agent sees, and who is not there.

        Args:
            row: of the game.
            there: the names of those that are.
            seen: what each of them sees.
            infos: what came with it.
        """
        for index, name in enumerate(self.names):
            if name in there:
                self.write(row, index, seen[name], infos.get(name))
            else:
                self.clear(row, index)

    def clear(self, row: Rows, index: int) -> None:
        """Write that an agent is not there.

        Args:
            row: of the game.
            index: of the agent.
        """
        row.features[index] = 0
        row.legal[index] = False
        row.legal[index, :1] = True
        row.alive[index] = False

    def decoded(self, row: Rows, index: int) -> Any:
        """What an agent shall do, as the environment takes it.

        Args:
            row: of the game.
            index: of the agent.
        """
        if self.box is not None:
            return self._reaches[index].action(row.actions[index], self.box)
        choice = self.choices[index]
        return choice.action(min(int(row.actions[index]), choice.count - 1))
