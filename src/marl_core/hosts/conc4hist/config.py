"""Settings of Conc4Hist."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from marl_core.base_config import MOST_AT_ONCE, MOST_IN_ALL
from marl_core.capabilities import HostCapabilities
from marl_core.hosts.ppo.config import PPOConfig


class Conc4HistConfig(PPOConfig):
    """Table 3, and the settings of the authors' public experiments where the paper is silent."""

    name: str = "conc4hist"
    hidden: int = Field(
        default=48, gt=1, le=MOST_AT_ONCE, description="Width of the hidden layers."
    )
    focus: int = Field(
        default=3,
        ge=2,
        le=MOST_AT_ONCE,
        description="d_c: remembered entities that reach the policy, and one less of those seen.",
    )
    reward_forwarding: float = Field(
        default=0.95,
        ge=0,
        le=1,
        description="What the dead earn goes to their last step alive, by this for each step.",
    )
    minibatches: int = Field(
        default=1,
        gt=0,
        le=MOST_AT_ONCE,
        description="Parts of the batch, each of which makes a step in every epoch (Table 3: 1).",
    )
    kernels: Literal["torch", "native"] = Field(
        default="torch",
        description="What computes the attention: PyTorch, or on a CPU code that is compiled once "
        "(it needs a C++ compiler; results differ by rounding).",
    )
    microbatch: int = Field(
        default=16384,
        gt=0,
        le=MOST_IN_ALL,
        description="Samples that are in memory at a time in learning; changes no result.",
    )

    @property
    def capabilities(self) -> HostCapabilities:
        """What the host gives and needs."""
        return HostCapabilities(
            scores="logits",
            needs=frozenset({"entities"}),
            memory=True,
            own_heads=True,
            entity_rows=True,
        )
