"""The data of a battle's page."""

from __future__ import annotations

from importlib.resources import files
from typing import Any

from torch import Tensor

from marl_core.entity_rows import write_out_entities
from marl_core.rendering import Episode
from marl_core.rendering.facts import run_facts
from marl_envs.adca.config import ADCAConfig
from marl_envs.adca.observation import INDEX
from marl_envs.adca.physics import ACTION_NAMES, TIME_STEP, WALL
from marl_envs.adca.sight import ENEMIES_WITHIN, FRIENDS_WITHIN
from marl_envs.adca.viewer.field import HALF, SHADES, multipliers, shading
from marl_envs.adca.viewer.outcome import deaths, earned, ending
from marl_envs.adca.viewer.shots import battles, shots
from marl_envs.adca.weapon import FAN, REACH


def page_content() -> str:
    """The part of the page that shows the data: style, elements and program."""
    page = files("marl_envs.adca.viewer").joinpath("page.html")
    return page.read_text(encoding="utf-8")


def page_data(
    episode: Episode,
    config: ADCAConfig,
) -> dict[str, Any]:
    """What the page shows.

    Lengths, angles and probabilities are in thousandths, which takes less room.

    Args:
        episode: of ADCA.
        config: of the environment that it was played in.
    """
    return {
        "facts": run_facts(episode, config),
        **_rules(config),
        **_fighters(episode, config),
        **_decisions(episode),
        "steps": episode.steps,
        "earned": [round(reward, 4) for reward in earned(episode)],
        "end": ending(episode),
    }


def _rules(config: ADCAConfig) -> dict[str, Any]:
    """What is the same in all battles."""
    return {
        "guards": config.agents,
        "fighters": config.agents + config.attackers,
        "rate": round(1 / TIME_STEP),
        "half": HALF,
        "wall": WALL,
        "reach": REACH,
        "fan": round(FAN, 4),
        "sight": [FRIENDS_WITHIN, ENEMIES_WITHIN],
        "action_names": ACTION_NAMES,
    }


def _fighters(
    episode: Episode,
    config: ADCAConfig,
) -> dict[str, Any]:
    """The ground, and where everybody was and what became of them."""
    states = battles(episode)
    reach = multipliers(states, terrain=config.terrain)
    shade = shading(states.theta[0], config.terrain)
    kills = [
        [
            shot.step,
            shot.shooter,
            shot.target,
        ]
        for shot in shots(states, config.agents)
    ]
    return {
        "ground": {
            "size": SHADES,
            "low": _thousandths(shade.min()),
            "high": _thousandths(shade.max()),
            "values": _thousandths(shade.flatten()),
        },
        "position": _thousandths(states.position.mT.flatten(1)),
        "heading": _thousandths(states.heading),
        "multiplier": _thousandths(reach),
        "died": deaths(states),
        "kills": kills,
    }


def _decisions(episode: Episode) -> dict[str, Any]:
    """What the guards saw, intended and did."""
    return {
        "seen": _seen(episode),
        "policies": _thousandths(episode.policies.flatten(1)),
        "actions": episode.actions.tolist(),
        "component": episode.component.tolist(),
        "component_names": episode.component_names,
    }


def _seen(episode: Episode) -> list[list[list[int]]]:
    """The fighters that each guard sees in each step, itself included, in the order of its rows."""
    observations = write_out_entities(episode.observations)
    entities = observations.entities
    mask = observations.entity_mask
    assert entities is not None
    assert mask is not None
    index = entities[..., INDEX].round().long()
    seen: list[list[list[int]]] = []
    for indices, masks in zip(index, mask, strict=True):
        guards = zip(indices, masks, strict=True)
        seen.append([row[there].tolist() for row, there in guards])
    return seen


def _thousandths(values: Tensor) -> Any:
    """Nested lists of whole numbers; a single number for a scalar."""
    thousandths = (values.double() * 1000).round()
    return thousandths.long().tolist()
