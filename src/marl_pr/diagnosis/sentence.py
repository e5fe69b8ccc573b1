"""The verdict in a sentence, and the command to try next."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from marl_pr.diagnosis.diagnosis import Diagnosis


@dataclass(frozen=True)
class Subject:
    """What was diagnosed.

    Attributes:
        config: its YAML file.
        run: its run folder; None: the team of a config.
        settings: said over the config, as on the command line.
        trained: for how many episodes a config's team was trained before.
        last_stage: the index of the config's last stage.
    """

    config: Path
    run: Path | None = None
    settings: tuple[str, ...] = ()
    trained: int = 0
    last_stage: int = 0


def sentence(found: Diagnosis) -> str:
    """The verdict.

    Args:
        found: the diagnosis.
    """
    answer = found.verdict.answer
    if answer == "problem":
        where = _named(found, found.verdict.lost.any(-1).tolist())
        most = int(found.verdict.lost.sum(-1).max())
        said = f"up to {most} of {found.agents} agents would help the team by deviating"
        return (
            f"This team has the problem: in {where}, {said} alone, and their own "
            "samples tell them nothing of it, or the opposite."
        )
    if answer == "none":
        return (
            "This team does not show the problem: wherever deviating alone is worth "
            "something, the agent's own samples say so."
        )
    where = _named(found, found.verdict.unclear.any(-1).tolist())
    agents = int(found.verdict.unclear.any(0).sum())
    return (
        f"It cannot be told from {found.episodes} episodes: {agents} of {found.agents} "
        f"agents are unclear in {where}."
    )


def remark(found: Diagnosis) -> str | None:
    """What else the signals say: agents that exploration would talk out of their responsibility.

    Args:
        found: the diagnosis.

    Returns:
        None where there are none.
    """
    held = found.verdict.held
    if not bool(held.any()):
        return None
    where = _named(found, held.any(-1).tolist())
    agents = int(held.any(0).sum())
    return (
        f"In {where}, {agents} of {found.agents} agents are right to stay, and their own "
        "samples tell them to deviate: trained on without resonance, they may be lost."
    )


def next_command(
    found: Diagnosis,
    subject: Subject,
) -> str:
    """What to try next.

    Args:
        found: the diagnosis.
        subject: of what.
    """
    answer = found.verdict.answer
    if answer == "problem":
        return _training_in_resonance(found, subject)
    if answer == "unknown":
        more = ["--episodes", str(found.verdict.episodes)]
        return _shell(["diagnose", *_again(subject), *more])
    if subject.run is not None:
        return _shell(["evaluate", str(subject.run)])
    longer = str(max(4 * subject.trained, 16_384))
    return _shell(["diagnose", *_again(subject, trained=longer)])


def _training_in_resonance(
    found: Diagnosis,
    subject: Subject,
) -> str:
    p_min = 1 / found.actions
    resonance = f"{{name: policy_resonance, p_min: {p_min:.3g}}}"
    stage = f"stages.{subject.last_stage}.exploration={resonance}"
    arguments = ["--config", str(subject.config), *_set(subject), "--set", stage]
    if subject.run is not None:
        out = f"{subject.run}-resonance"
        arguments += ["--weights", str(subject.run), "--run-dir", out]
    return _shell(["train", *arguments])


def _again(
    subject: Subject,
    trained: str | None = None,
) -> list[str]:
    if subject.run is not None:
        return [str(subject.run)]
    arguments = ["--config", str(subject.config), *_set(subject)]
    if trained is None and subject.trained:
        trained = str(subject.trained)
    return arguments if trained is None else [*arguments, "--train", trained]


def _set(subject: Subject) -> list[str]:
    found = []
    for setting in subject.settings:
        found += ["--set", setting]
    return found


def _shell(arguments: Sequence[str]) -> str:
    return shlex.join(["marl", *arguments])


def _named(
    found: Diagnosis,
    chosen: Sequence[bool],
) -> str:
    names = [name for name, is_one in zip(found.windows, chosen, strict=True) if is_one]
    return ", ".join(names)
