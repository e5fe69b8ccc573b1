"""Settings of Conc4Hist."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from marl_core.base_config import MOST_AT_ONCE, MOST_IN_ALL
from marl_core.capabilities import HostCapabilities
from marl_core.hosts.ppo.config import PPOConfig

#: Samples in memory at a time, where the config leaves it open: on a CPU, what is computed from one
#: to the next layer stays in its cache; another device takes longer to start an operation than to
#: compute it for a few samples.
_AT_ONCE_ON_CPU = 16_384
_AT_ONCE_ELSEWHERE = 262_144


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
    microbatch: int | None = Field(
        default=None,
        gt=0,
        le=MOST_IN_ALL,
        description="Samples that are in memory at a time in learning; null: 16,384 on a CPU, "
        "262,144 on a GPU. It changes no result.",
    )

    def most_at_once(self, *, on_cpu: bool) -> int:
        """Samples that are in memory at a time in learning.

        Args:
            on_cpu: whether the host learns on a CPU.
        """
        if self.microbatch is not None:
            return self.microbatch
        return _AT_ONCE_ON_CPU if on_cpu else _AT_ONCE_ELSEWHERE

    @property
    def capabilities(self) -> HostCapabilities:
        """What the host gives and needs."""
        return HostCapabilities(
            scores="logits",
            needs=frozenset({"entities"}),
            memory=True,
            own_heads=True,
            head_groups=True,
            entity_rows=True,
        )
