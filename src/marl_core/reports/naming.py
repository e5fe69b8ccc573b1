"""How experiments are named by the settings in which they differ.

The rule for names:

1.  A name begins with the parts that an experiment is made of, then come settings:
    ``qmix, agents=8``.
2.  The parts are the host, the explorations of the stages, and the environment, in this order.
    The settings follow in the order of the config.
3.  What is the same in all experiments is left out. So is a setting that does not tell apart two
    experiments whose names would be equal without it.
4.  A setting goes by the last word of its key. Where an experiment has several such settings, each
    of them goes by its whole key.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Sequence

from marl_core.reports.labels import RESERVED, Label, as_label
from marl_core.reports.settings import PARTS, Settings

#: The names of components in a key.
_COMPONENTS = re.compile(r"\([^)]*\)")
#: Stands for the value of a setting that an experiment does not have.
_MISSING = object()


def differing_keys(experiments: Sequence[Settings]) -> list[str]:
    """The keys of the settings in which experiments differ from each other.

    A key counts where two experiments that have it have different values. It is left out where an
    earlier key with the same last word has the same value in all experiments that have it.

    Args:
        experiments: the settings of each.
    """
    found: list[str] = []
    for key in _all_keys(experiments):
        having = [settings for settings in experiments if key in settings]
        values = {json.dumps(settings[key]) for settings in having}
        if len(values) > 1 and not _is_said(
            key,
            found,
            having,
        ):
            found.append(key)
    return found


def names_of(
    experiments: Sequence[Settings],
    keys: Sequence[str],
) -> list[str]:
    """Name experiments by the rule at the head of this module.

    Args:
        experiments: the settings of each.
        keys: in which they differ.

    Returns:
        A name for each experiment; the only one has an empty name.
    """
    words = _words_of(experiments, keys)
    names = [""] * len(experiments)
    for key in keys:
        longer: list[str] = []
        for name, settings in zip(names, experiments, strict=True):
            addition = _text(
                key,
                words[key],
                settings,
            )
            parts = filter(None, (name, addition))
            longer.append(", ".join(parts))
        if len(set(longer)) > len(set(names)):
            names = longer
    return names


def labels_of(
    experiments: Sequence[Settings],
    keys: Sequence[str],
) -> list[dict[str, Label]]:
    """All settings in which experiments differ, as labels of their results.

    Args:
        experiments: the settings of each.
        keys: in which they differ.
    """
    words = _words_of(experiments, keys)
    labels: list[dict[str, Label]] = []
    for settings in experiments:
        own = [key for key in keys if key in settings]
        labels.append({words[key]: as_label(settings[key]) for key in own})
    return labels


def _all_keys(experiments: Sequence[Settings]) -> list[str]:
    keys: dict[str, None] = {}
    for settings in experiments:
        keys |= dict.fromkeys(settings)
    return list(keys)


def _last_word(key: str) -> str:
    return key.rpartition(".")[2]


def _is_said(
    key: str,
    earlier_keys: Sequence[str],
    experiments: Sequence[Settings],
) -> bool:
    """Whether an earlier key with the same last word has the same values."""
    for earlier in earlier_keys:
        if _last_word(earlier) != _last_word(key):
            continue
        own = [settings[key] for settings in experiments]
        others = [settings.get(earlier, _MISSING) for settings in experiments]
        if own == others:
            return True
    return False


def _words_of(
    experiments: Sequence[Settings],
    keys: Sequence[str],
) -> dict[str, str]:
    """What each key is called: its last word or, where that is ambiguous, the whole key."""
    unusable = set(RESERVED)
    for settings in experiments:
        own = [key for key in keys if key in settings]
        counts = Counter(map(_last_word, own))
        unusable.update(word for word, count in counts.items() if count > 1)
    words: dict[str, str] = {}
    for key in keys:
        words[key] = _last_word(key)
        if words[key] in unusable:
            words[key] = _COMPONENTS.sub("", key)
    return words


def _text(
    key: str,
    word: str,
    settings: Settings,
) -> str:
    """A setting as a part of a name; empty where the experiment has no such setting."""
    if key not in settings:
        return ""
    value = as_label(settings[key])
    return str(value) if key in PARTS else f"{word}={value}"
