"""By which optimiser a run descends. Learning rates and their limits are the host's settings."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from marl_core.base_config import LARGEST, StrictModel

_Decay = Annotated[float, Field(ge=0, le=1)]
_Epsilon = Annotated[float, Field(gt=0, le=LARGEST)]


class AdamConfig(StrictModel):
    """Adam (Kingma and Ba 2015)."""

    name: Literal["adam"] = "adam"
    beta1: float = Field(
        default=0.9,
        ge=0,
        lt=1,
        description="How much of the mean gradient is kept in a step.",
    )
    beta2: float = Field(
        default=0.999,
        ge=0,
        lt=1,
        description="How much of the mean squared gradient is kept in a step.",
    )
    eps: _Epsilon = Field(default=1e-8, description="Added to the denominator.")
    weight_decay: _Decay = Field(
        default=0.0, description="Weight of the squared norm of the parameters."
    )


class AdamWConfig(AdamConfig):
    """Adam with decoupled weight decay (Loshchilov and Hutter 2019)."""

    name: Literal["adamw"] = "adamw"  # type: ignore[assignment]
    weight_decay: _Decay = Field(
        default=0.01,
        description="How much of a parameter is lost in a step, times the learning rate.",
    )


class RMSpropConfig(StrictModel):
    """RMSprop (Hinton 2012), QMIX's in the paper of Rashid et al. (2018)."""

    name: Literal["rmsprop"] = "rmsprop"
    alpha: float = Field(
        default=0.99,
        ge=0,
        lt=1,
        description="How much of the mean square is kept in a step.",
    )
    eps: _Epsilon = Field(default=1e-8, description="Added to the denominator.")
    momentum: float = Field(
        default=0.0, ge=0, lt=1, description="How much of a step is kept for the next."
    )
    weight_decay: _Decay = Field(
        default=0.0, description="Weight of the squared norm of the parameters."
    )


class SGDConfig(StrictModel):
    """Gradient descent, with momentum or without."""

    name: Literal["sgd"] = "sgd"
    momentum: float = Field(
        default=0.0, ge=0, lt=1, description="How much of a step is kept for the next."
    )
    nesterov: bool = Field(
        default=False, description="Look ahead by the momentum; needs one."
    )
    weight_decay: _Decay = Field(
        default=0.0, description="Weight of the squared norm of the parameters."
    )


AnyOptimizer = Annotated[
    AdamConfig | AdamWConfig | RMSpropConfig | SGDConfig,
    Field(discriminator="name"),
]
