"""What a config can say about the agents that do not learn."""

from __future__ import annotations

import re
from abc import abstractmethod
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, Literal, Self

from pydantic import Field, PrivateAttr, ValidationInfo, model_validator

from marl_core.base_config import LONGEST_NAME, StrictModel, code_of, mistake
from marl_core.errors import UserError, suggestion
from marl_core.registry import untrusted
from marl_envs.adapters.game import FROZEN, RULES
from marl_envs.adapters.library_config import LibraryConfig
from marl_envs.adapters.rows import Layout

_SCRIPT: Final = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*")
#: Letters of what a checkpoint is known by.
_LETTERS: Final = 16
_LONGEST_PATH: Final = 4096
#: Of a game.
MOST_TEAMS: Final = 256


class OpponentConfig(StrictModel):
    """Who plays some of the agents that do not learn: `name` is `random`, `idle`, `frozen`, or a
    script of yours, `module:function`.
    """

    name: str = Field(
        max_length=LONGEST_NAME,
        description="random: any legal action; idle: the first one; frozen: a run of this "
        "framework, which learns no more; or a script of yours, module:function.",
    )
    team: str = Field(
        default="",
        max_length=LONGEST_NAME,
        description="What the names of these agents begin with; by default all that are left.",
    )
    run: str | None = Field(
        default=None,
        max_length=_LONGEST_PATH,
        description="frozen: the run's folder, seen from where `marl` is called.",
    )
    mode: Literal["greedy", "sampled"] = Field(
        default="greedy",
        description="frozen: whether its agents take their most probable actions, or draw from "
        "their own policies.",
    )
    checkpoint: str | None = Field(
        default=None,
        max_length=_LETTERS,
        description="frozen: what its newest checkpoint is known by. It is filled in when the "
        "config is read, so that a run never goes on against others than it began with.",
    )
    trust: bool = Field(
        default=False,
        description="frozen: whether the code that its folder names may be run.",
    )
    _looked_at: bool = PrivateAttr(default=True)

    @property
    def folder(self) -> Path:
        """Of the frozen run."""
        assert self.run is not None, "looked at when the config was read"
        return Path(self.run)

    @model_validator(mode="before")
    @classmethod
    def _with_checkpoint(cls, data: Any, info: ValidationInfo) -> Any:
        """Note which checkpoint it is, where the config is not one of a run that began before."""
        if not isinstance(data, dict) or data.get("name") != FROZEN:
            return data
        run, known = data.get("run"), data.get("checkpoint")
        if not isinstance(run, str) or known is not None or code_of(info) != "import":
            return data
        return {**data, "checkpoint": known_by(run)}

    @model_validator(mode="after")
    def _names_somebody(self, info: ValidationInfo) -> Self:
        if self.name == FROZEN:
            if self.run is None:
                raise mistake("'frozen' needs the folder of a run", "run")
        elif self.run is not None:
            raise mistake("only 'frozen' opponents have a run", "run")
        if self.name not in (FROZEN, *RULES) and not _SCRIPT.fullmatch(self.name):
            known = [*RULES, FROZEN]
            hint = suggestion(self.name, known) or f" (known: {', '.join(known)}"
            closing = "" if suggestion(self.name, known) else ", module:function)"
            raise mistake(f"unknown opponents '{self.name}'{hint}{closing}", "name")
        self._look_at_code(info)
        return self

    def _look_at_code(self, info: ValidationInfo) -> None:
        """Import a script, where code may be run; refuse it where it may not."""
        is_script = ":" in self.name
        code = code_of(info)
        if code == "leave":
            self._looked_at = not is_script
        elif code == "known" and (is_script or self.trust):
            where = "name" if is_script else "trust"
            raise mistake(untrusted(self.name if is_script else str(self.run)), where)
        elif is_script:
            # Late: without Gymnasium everything else works.
            from marl_envs.adapters.scripts import script_named

            try:
                script_named(self.name)
            except UserError as error:
                raise mistake(error.message, "name") from None

    def check_looked_at(self) -> None:
        """Refuse to play by code that nobody has looked at.

        Raises:
            UserError: the config was read as data alone.
        """
        if not self._looked_at:
            raise UserError(f"'{self.name}' has not been looked at: it is code")


class AgainstOthers(LibraryConfig):
    """An environment of agents that learn and of others that do not. Abstract base."""

    opponents: tuple[OpponentConfig, ...] = Field(
        default=(),
        max_length=MOST_TEAMS,
        description="Who plays the agents that do not learn, by the beginnings of their names. "
        "Those for whom nobody is named draw any legal action.",
    )

    @property
    def frozen(self) -> tuple[tuple[int, OpponentConfig], ...]:
        """The frozen runs among the opponents, each with its place in ``opponents``."""
        numbered = enumerate(self.opponents)
        return tuple(one for one in numbered if one[1].name == FROZEN)

    @abstractmethod
    def layout(self) -> Layout:
        """The shapes of a game."""

    def alone(self) -> Self:
        """The same environment for those who only want to know what its own team sees."""
        return self.model_copy(update={"opponents": ()})


def known_by(run: str) -> str | None:
    """What the newest checkpoint of a run is known by; None where there is none.

    Args:
        run: its folder.
    """
    # Late: it needs what trains, and `marl --help` does not.
    from marl_core.runs.folder import RunFolder

    file = RunFolder(Path(run)).checkpoint
    try:
        stated = file.stat()
    except OSError:
        return None
    return _digest(file, stated.st_mtime_ns, stated.st_size)


@lru_cache(maxsize=64)
def _digest(file: Path, changed: int, size: int) -> str | None:
    from marl_core.runs.source_files import hash_of

    found = hash_of(file)
    return None if found is None else found[:_LETTERS]
