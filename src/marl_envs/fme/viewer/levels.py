"""What a level asks of the team, in numbers, words and colours."""

from __future__ import annotations

from marl_core.rendering.palette import BLUE, BLUISH_GREEN, VERMILLION
from marl_envs.fme.config import BanditLevel, LevelConfig

#: The colours of rewarded actions, the best action first, by the kind of level.
_COLOURS = {
    "A": (BLUISH_GREEN,),
    "B": (BLUE, "#6aaed6", "#b5d4e9"),
    "C": (VERMILLION,),
}
#: The colours of actions that are never rewarded, in turn.
_GREYS = ("#c9cdd4", "#dfe2e7")


def rewarded(level: LevelConfig) -> tuple[int, ...]:
    """The actions that are ever rewarded at a level, the best one first.

    Args:
        level: of any kind.
    """
    if level.kind != "B":
        return (level.action,)
    return _likeliest_first(level)


def _likeliest_first(level: BanditLevel) -> tuple[int, ...]:
    """The arms that can be drawn, by falling probability; on ties by rising number."""
    arms: list[tuple[float, int]] = []
    for probability, arm in zip(level.probabilities, level.arms, strict=True):
        if probability > 0:
            arms.append((-probability, arm))
    return tuple(arm for _, arm in sorted(arms))


def describe(level: LevelConfig) -> str:
    """What the team should do at a level, in words.

    Args:
        level: of any kind.
    """
    match level.kind:
        case "A":
            return f"all take {level.action}"
        case "B":
            return f"all take {rewarded(level)[0]}"
        case "C":
            return f"all but one take {level.action}"


def stacking_order(
    level: LevelConfig,
    actions: int,
) -> list[int]:
    """The actions from the bottom of a stack to its top: first those that are rewarded.

    Args:
        level: of any kind.
        actions: the number of actions.
    """
    best = rewarded(level)
    others = [action for action in range(actions) if action not in best]
    return [*best, *others]


def colours(
    level: LevelConfig,
    actions: int,
) -> list[str]:
    """The colour of each action in the order of ``stacking_order``.

    Args:
        level: of any kind.
        actions: the number of actions.
    """
    bright = _COLOURS[level.kind]
    chosen: list[str] = []
    for rank in range(len(rewarded(level))):
        chosen.append(bright[min(rank, len(bright) - 1)])
    others = len(stacking_order(level, actions)) - len(chosen)
    for rank in range(others):
        chosen.append(_GREYS[rank % len(_GREYS)])
    return chosen
