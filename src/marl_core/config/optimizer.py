"""By which optimiser a run descends. Learning rates and their limits are the host's settings."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from marl_core.base_config import LARGEST, StrictModel

_Epsilon = Annotated[
    float,
    Field(gt=0, le=LARGEST, description="Added to the denominator."),
]


class _Decaying(StrictModel):
    """What all of them have."""

    weight_decay: float = Field(
        default=0.0,
        ge=0,
        le=1,
        description="Weight of the squared norm of the parameters.",
    )


class _Moving(_Decaying):
    """What those have that can go on in the direction of earlier steps."""

    momentum: float = Field(
        default=0.0, ge=0, lt=1, description="How much of a step is kept for the next."
    )


class AdamConfig(_Decaying):
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
    eps: _Epsilon = 1e-8


class AdamWConfig(AdamConfig):
    """Adam with decoupled weight decay (Loshchilov and Hutter 2019); 0.01 by default."""

    name: Literal["adamw"] = "adamw"  # type: ignore[assignment]
    weight_decay: float = Field(
        default=0.01,
        ge=0,
        le=1,
        description="How much of a parameter is lost in a step, times the learning rate.",
    )


class RMSpropConfig(_Moving):
    """RMSprop (Hinton 2012), QMIX's in the paper of Rashid et al. (2018)."""

    name: Literal["rmsprop"] = "rmsprop"
    alpha: float = Field(
        default=0.99,
        ge=0,
        lt=1,
        description="How much of the mean square is kept in a step.",
    )
    eps: _Epsilon = 1e-8


class SGDConfig(_Moving):
    """Gradient descent, with momentum or without."""

    name: Literal["sgd"] = "sgd"
    nesterov: bool = Field(
        default=False, description="Look ahead by the momentum; needs one."
    )


AnyOptimizer = Annotated[
    AdamConfig | AdamWConfig | RMSpropConfig | SGDConfig,
    Field(discriminator="name"),
]
