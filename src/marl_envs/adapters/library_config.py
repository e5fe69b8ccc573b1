"""What a config can say about an environment of any other library."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from marl_core.base_config import LONGEST_NAME, MOST_AT_ONCE, EnvironmentConfig
from marl_core.errors import UserError


class LibraryConfig(EnvironmentConfig):
    """What all adapters have in common. Abstract base."""

    id: str = Field(max_length=LONGEST_NAME, description="Which environment.")
    kwargs: dict[str, Any] = Field(
        default_factory=dict, description="What its maker is called with."
    )
    reward: Literal["own", "team"] = Field(
        default="own",
        description="Whether agents learn from their own rewards or from the team's, their mean.",
    )
    max_steps: int | None = Field(
        default=None,
        gt=0,
        le=MOST_AT_ONCE,
        description="After how many steps a game is cut; by default as the environment says.",
    )
    state: Literal["none", "joined", "own"] = Field(
        default="none",
        description="The global state that hosts get: none, all agents' observations one after "
        "another, or the library's own, where it has one.",
    )

    @property
    def may_die(self) -> bool:
        """Whether agents may leave a game before its end."""
        return False

    def state_features(self, agents: int, features: int, own: int | None) -> int | None:
        """S, the size of the state that hosts get; None: they get none.

        Args:
            agents: N.
            features: O.
            own: the size of the library's own state; None: it has none.

        Raises:
            UserError: the library's own state is asked for, and it has none.
        """
        if self.state == "none":
            return None
        if self.state == "joined":
            return agents * features
        if own is None:
            raise UserError(f"'{self.id}' has no global state of its own: say joined")
        return own
