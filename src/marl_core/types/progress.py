"""How far a run is, and what is known when a team draws what it shares."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from marl_core.types.observation import Observation


@dataclass(frozen=True)
class Progress:
    """How far a run is; every schedule is a function of it. Counts are sums over all ranks.

    Attributes:
        episodes: episodes played.
        stage: the index of the stage, from 0.
        stage_episodes: episodes played in the stage.
        environment_steps: steps of all games.
        updates: updates made.
    """

    episodes: int = 0
    stage: int = 0
    stage_episodes: int = 0
    environment_steps: int = 0
    updates: int = 0


@dataclass(frozen=True)
class Moment:
    """What is known when a team draws a component.

    Attributes:
        progress: how far the run is.
        device: where the weights of the components are wanted.
        observation: what the agents of each game see at the draw, leading axis E, with ``row``
            where the environment has a table; None outside of a game, where a law is only looked
            at.
    """

    progress: Progress
    device: torch.device
    observation: Observation | None = None
