"""What a config can say about environments of JaxMARL."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any, Final, final

from pydantic import Field
from pydantic_core import from_json, to_json

from marl_core.base_config import LARGEST, LONGEST_NAME
from marl_core.errors import UserError
from marl_envs.adapters.batched.config import BatchedConfig, TeamShape
from marl_envs.adapters.making import imported, made

if TYPE_CHECKING:
    from marl_envs.adapters.batched.jax_program import JaxProgram

#: Arguments that JaxMARL wants as objects, and where it finds them by their names.
_NAMED: Final = {
    "scenario": ("jaxmarl.environments.smax", "map_name_to_scenario"),
    "layout": ("jaxmarl.environments.overcooked", "overcooked_layouts"),
}


@final
class JaxMARLConfig(BatchedConfig):
    """Settings of an environment of JaxMARL."""

    name: str = "jaxmarl"
    id: str = Field(
        max_length=LONGEST_NAME,
        description="As jaxmarl.make takes it: 'HeuristicEnemySMAX', 'MPE_simple_spread_v3'.",
    )
    agents_die: bool = Field(
        default=True, description="Whether agents may leave a game before its end."
    )
    won_reward: float | None = Field(
        default=None,
        ge=-LARGEST,
        le=LARGEST,
        description="A game is won by the step that ends it and gives an agent this reward or "
        "more: 1 in SMAX. By default nobody knows which games were won.",
    )

    @property
    def may_die(self) -> bool:
        """As the setting says."""
        return self.agents_die

    @property
    def knows_wins(self) -> bool:
        """Whether the reward of a won game is known."""
        return self.won_reward is not None

    def program(self) -> JaxProgram:
        """The compiled games, which all environments of one config share: compiling takes long.

        Raises:
            UserError: JaxMARL is not installed, or there is no such environment.
        """
        return _program_of(self.id, to_json(self.kwargs))

    def look(self) -> TeamShape:
        """Trace the environment once to see what it gives; nothing is compiled."""
        return self.program().shape()


@cache
def _program_of(name: str, arguments: bytes) -> JaxProgram:
    library = imported("jaxmarl", "jaxmarl")
    # Here, because everything else works without JAX.
    from marl_envs.adapters.batched.jax_program import JaxProgram

    given: dict[str, Any] = from_json(arguments)
    settings = {key: _argument(key, value) for key, value in given.items()}
    return JaxProgram(made(name, library.make, {"env_id": name, **settings}), name)


def _argument(key: str, value: Any) -> Any:
    """An object for its name, where JaxMARL wants one."""
    if key not in _NAMED or not isinstance(value, str):
        return value
    module, finder = _NAMED[key]
    found: Callable[[str], Any] | Mapping[str, Any] = getattr(
        imported(module, "jaxmarl"), finder
    )
    try:
        return found[value] if isinstance(found, Mapping) else found(value)
    except KeyError as error:
        raise UserError(f"JaxMARL has no {key} '{value}'") from error
