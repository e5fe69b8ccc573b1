"""Settings of QMIX, VDN and independent Q-learning."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from marl_core.base_config import (
    LARGEST,
    MOST_AT_ONCE,
    MOST_IN_ALL,
    HostConfig,
    mistake,
)
from marl_core.capabilities import HostCapabilities, ReplaySettings


class QMIXConfig(HostConfig):
    """Table 3; where it is silent, the settings of Hu et al. 2021."""

    name: str = "qmix"
    mixer: Literal["monotonic", "sum", "none"] = Field(
        default="monotonic",
        description="How the team's value comes from the agents': QMIX's network, or VDN's sum; "
        "with `none` every agent learns for itself (IQL).",
    )
    body: Literal["mlp", "gru"] = Field(
        default="mlp",
        description="Whether the agents' values see one step, or remember the steps before (gru).",
    )
    learning_rate: float = Field(
        default=1e-3, gt=0, le=LARGEST, description="The optimiser's."
    )
    gamma: float = Field(default=0.99, ge=0, le=1, description="Discount of a step.")
    td_lambda: float = Field(
        default=0.6, ge=0, le=1, description="lambda of the TD(lambda) targets."
    )
    batch_episodes: int = Field(
        default=64,
        gt=0,
        le=MOST_AT_ONCE,
        description="Episodes of a step, over all ranks.",
    )
    batch_steps: int | None = Field(
        default=None,
        gt=0,
        le=MOST_AT_ONCE,
        description="How many single steps of replayed episodes a step of the optimiser learns "
        "from, over all ranks, in place of whole episodes. Targets are one-step ones, whatever "
        "`td_lambda` says. It begins once there are `batch_episodes`. Not with a gru.",
    )
    batches_per_update: int = Field(
        default=1,
        gt=0,
        le=MOST_AT_ONCE,
        description="Steps after every batch of games, each on other replayed episodes.",
    )
    replay_episodes: int = Field(
        default=5000,
        gt=0,
        le=MOST_AT_ONCE,
        description="How many of the newest episodes are kept.",
    )
    target_every: int = Field(
        default=200,
        gt=0,
        le=MOST_IN_ALL,
        description="Episodes from one copy of the target network to the next.",
    )
    max_gradient_norm: float = Field(
        default=10.0, gt=0, le=LARGEST, description="Clip of the gradient norm."
    )
    hidden: int = Field(
        default=32,
        gt=0,
        le=MOST_AT_ONCE,
        description="Width of the agents' hidden layers and of the mixing network.",
    )

    @model_validator(mode="after")
    def _single_steps(self) -> Self:
        if self.batch_steps is not None and self.body == "gru":
            raise mistake("a gru learns from whole episodes", "batch_steps")
        return self

    @property
    def capabilities(self) -> HostCapabilities:
        """What the host gives and needs; a mixing network needs the state."""
        monotonic = self.mixer == "monotonic"
        return HostCapabilities(
            scores="values",
            needs=frozenset({"features", "state"} if monotonic else {"features"}),
            memory=self.body == "gru",
            own_heads=True,
            head_groups=True,
            replay=ReplaySettings(
                self.replay_episodes,
                self.batch_episodes,
                self.batches_per_update,
                self.batch_steps,
            ),
        )
