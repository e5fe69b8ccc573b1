"""What a page says about the run that an episode is from."""

from __future__ import annotations

import json

from pydantic import BaseModel

from marl_core.rendering.episode import Episode, Mode

Fact = tuple[str, str]

_ACTING: dict[Mode, str] = {
    "greedy": "each agent takes its likeliest action",
    "sampled": "each agent draws from its own policy",
    "training": "as in training",
}


def run_facts(
    episode: Episode,
    config: BaseModel,
) -> list[Fact]:
    """The facts that a page shows: pairs of a label and a text.

    Args:
        episode: what the page shows.
        config: of the environment. Settings that have their default value are left out.
    """
    progress = episode.progress
    trained = (
        f"{progress.episodes:,} episodes in {progress.updates:,} updates, "
        f"stage {progress.stage + 1}"
    )
    facts = [
        ("run", episode.name),
        ("trained", trained),
        ("the team acts", _ACTING[episode.mode]),
        ("episode", f"seed {episode.seed}, {episode.steps} steps"),
    ]
    settings = config.model_dump(mode="json", exclude_defaults=True)
    for name, value in settings.items():
        label = "environment" if name == "name" else name
        facts.append((label, _text(value)))
    return facts


def _text(value: object) -> str:
    """Text as it is, everything else as JSON."""
    if isinstance(value, str):
        return value
    return json.dumps(value)
