"""Settings of MAPPO and IPPO."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from marl_core.base_config import LARGEST, MOST_AT_ONCE, mistake
from marl_core.capabilities import HostCapabilities
from marl_core.hosts.parameter_sharing import Parameters
from marl_core.hosts.ppo.config import PPOConfig

#: Hidden layers of an encoder.
_MOST_LAYERS = 100
#: A width of one.
_Width = Annotated[int, Field(gt=0, le=MOST_AT_ONCE)]


class MAPPOConfig(PPOConfig):
    """Settings in the manner of Yu et al. (2022), where those of PPO-MA do not stand."""

    name: str = "mappo"
    hidden: int = Field(
        default=64, gt=0, le=MOST_AT_ONCE, description="Width of every hidden layer."
    )
    encoder_widths: tuple[_Width, ...] = Field(
        default=(),
        max_length=_MOST_LAYERS,
        description="Widths of further hidden layers, between what is seen and the first one of "
        "width `hidden`.",
    )
    body: Literal["mlp", "gru"] = Field(
        default="mlp",
        description="Whether policy and value see one step, or remember the steps before (gru).",
    )
    critic: Literal["own", "central"] = Field(
        default="central",
        description="Whether the value sees the agent's own observation (IPPO), or the state; "
        "where there is none, what all agents see (MAPPO).",
    )
    identity: bool = Field(
        default=True, description="Policy and value see which agent they work for."
    )
    parameters: Parameters = Field(
        default="shared",
        description="Which agents share their networks: all (`shared`), none (`per_agent`), or "
        "those of a group, with the group of each agent in a list, as `[0, 0, 1]`.",
    )
    sequence: int | None = Field(
        default=None,
        gt=0,
        le=MOST_AT_ONCE,
        description="With a gru: through how many steps gradients flow back; by default all.",
    )
    minibatches: int = Field(
        default=1,
        gt=0,
        le=MOST_AT_ONCE,
        description="Steps in an epoch, each on as many of the games; no more than games.",
    )
    minibatches_of: Literal["games", "steps"] = Field(
        default="games",
        description="What minibatches are drawn of: whole games, or single steps of any games "
        "(`steps`), which are more unlike each other; a gru needs whole games.",
    )
    value_normalisation: bool = Field(
        default=True,
        description="The value learns returns with mean 0 and variance 1 over the run so far.",
    )
    huber: float | None = Field(
        default=10.0,
        gt=0,
        le=LARGEST,
        description="From which error on the value's loss grows linearly; null: never.",
    )
    value_clip: float | None = Field(
        default=None,
        gt=0,
        le=LARGEST,
        description="How far from what the critic said before the update its values are followed, "
        "in the scale in which they are learnt; null: any distance.",
    )
    epochs: int = Field(
        default=10,
        gt=0,
        le=MOST_AT_ONCE,
        description="Epochs over the whole batch in an update.",
    )
    initial_std: float = Field(
        default=0.5,
        ge=0.01,
        le=2.5,
        description="Where actions are numbers in a box: the policy's standard deviation at first, "
        "in half widths of the box.",
    )
    critic_rate_factor: float = Field(
        default=1.0,
        gt=0,
        le=LARGEST,
        description="The critic's learning rate over the policy's.",
    )
    max_gradient_norm: float = Field(
        default=10.0,
        gt=0,
        le=LARGEST,
        description="Clip of the gradient norm, of policy and critic each.",
    )

    @model_validator(mode="after")
    def _remembers_whole_games(self) -> Self:
        if self.body == "gru" and self.minibatches_of == "steps":
            raise mistake("a gru learns from whole games", "minibatches_of")
        return self

    @property
    def capabilities(self) -> HostCapabilities:
        """What the host gives and needs."""
        return HostCapabilities(
            scores="logits",
            memory=self.body == "gru",
            own_heads=True,
            # Heads that were apart from the beginning are not joined.
            head_groups=self.parameters == "shared",
            # What a critic with a memory remembered at the beginning of a piece, nobody knows.
            pieces=self.body == "mlp",
            box_scores="gaussian",
        )
