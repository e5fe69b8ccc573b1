"""Settings of the hosts that learn by PPO."""

from __future__ import annotations

from pydantic import Field

from marl_core.base_config import LARGEST, MOST_AT_ONCE, HostConfig
from marl_core.capabilities import HostCapabilities
from marl_core.types.loss import Schedule


class PPOConfig(HostConfig):
    """What all of them have.

    Table 3, and the settings of the authors' public experiments where the paper is silent.
    """

    learning_rate: float = Field(
        default=5e-4, gt=0, le=LARGEST, description="The optimiser's, for the policy."
    )
    learning_rate_schedule: Schedule = Field(
        default="constant",
        description="Whether learning rates stay, or fall to 0 over the episodes of all stages "
        "(`linear`).",
    )
    critic_rate_factor: float = Field(
        default=10.0,
        gt=0,
        le=LARGEST,
        description="The critic's learning rate over the policy's.",
    )
    gamma: float = Field(default=0.99, ge=0, le=1, description="Discount of a step.")
    gae_lambda: float = Field(
        default=0.95,
        ge=0,
        le=1,
        description="lambda of generalised advantage estimation.",
    )
    clip: float = Field(
        default=0.2, gt=0, lt=1, description="epsilon of PPO's ratio clip."
    )
    dual_clip: float = Field(
        default=5.0,
        gt=1,
        le=LARGEST,
        description="c of the dual clip: bound of the ratio for A < 0.",
    )
    epochs: int = Field(
        default=24,
        gt=0,
        le=MOST_AT_ONCE,
        description="Epochs over the whole batch in an update.",
    )
    min_inside_clip: float = Field(
        default=0.7,
        ge=0,
        le=1,
        description="An update ends early once fewer of its samples are inside the clip range.",
    )
    max_gradient_norm: float = Field(
        default=0.5, gt=0, le=LARGEST, description="Clip of the policy's gradient norm."
    )
    value_coefficient: float = Field(
        default=0.5, gt=0, le=LARGEST, description="Weight of the squared value error."
    )


class PPOMAConfig(PPOConfig):
    """Table 3, and the settings of the authors' public experiments where the paper is silent."""

    name: str = "ppo_ma"
    hidden: int = Field(
        default=8, gt=0, le=MOST_AT_ONCE, description="Width of every hidden layer."
    )
    identity_in_head: bool = Field(
        default=True,
        description="The policy head sees the agent's one-hot identity again.",
    )

    @property
    def capabilities(self) -> HostCapabilities:
        """What the host gives and needs."""
        return HostCapabilities(
            scores="logits",
            own_heads=True,
            head_groups=True,
            pieces=True,
        )
