"""Run configs from YAML files or plain values, with settings over them; every error says where."""

from __future__ import annotations

import copy
import io
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self, final

from pydantic import ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap

from marl_core.base_config import Code, validate_strictly
from marl_core.config.module_folders import modules_in, note_other_modules
from marl_core.config.overrides import Overrides, apply_overrides
from marl_core.config.plain_values import check_plain
from marl_core.config.report import mistakes
from marl_core.config.run import RunConfig
from marl_core.config.yaml_document import line_of, plain, read_document
from marl_core.errors import (
    Location,
    SeveralMistakesError,
    UserError,
    dotted,
    printable,
)


def load_run(
    path: Path,
    overrides: Overrides = (),
    code: Code = "import",
) -> RunConfig:
    """Read, override and validate a run config.

    Args:
        path: the YAML file.
        overrides: settings over what the file says.
        code: what is done about ``package.module:Class``.

    Raises:
        UserError: see ``RunSource``.
    """
    return RunSource.of_file(path, overrides).config(code)


def dump_run(config: RunConfig) -> str:
    """The whole config as YAML, defaults written out; ``load_run`` reads an equal one from it.

    Args:
        config: a run's.
    """
    stream = io.StringIO()
    yaml = YAML()
    yaml.default_flow_style = False
    yaml.dump(config.model_dump(mode="json"), stream)
    return stream.getvalue()


@final
class RunSource:
    """Where a run's config comes from, and the settings that are said over it.

    Args:
        name: what it is called in messages.
        data: plain values; are changed.
        overrides: over what the data say.
        document: of the file, if there is one: it knows the lines.
        modules: folders that may hold modules which the config names as ``module:Class``.

    Raises:
        UserError: an override leads nowhere, or a value cannot stand in a config.
    """

    def __init__(
        self,
        name: str,
        data: dict[str, Any],
        overrides: Overrides = (),
        document: CommentedMap | None = None,
        modules: Sequence[Path] = (),
    ) -> None:
        self.name = name
        self.modules = tuple(modules)
        self._document = document
        self._data = data
        self.overrides = apply_overrides(data, overrides)
        try:
            check_plain(data)
        except UserError as error:
            where = error.location
            raise UserError(self._line(where, where, error.message)) from error

    @classmethod
    def of_file(
        cls,
        path: Path,
        overrides: Overrides = (),
    ) -> Self:
        """A YAML file.

        Args:
            path: of the file. Its folder, and the current one, may hold modules that it names.
            overrides: ``dotted.key=value``, the value in YAML, or values by their dotted keys;
                numbers index lists (``stages.1.episodes=512``).

        Raises:
            UserError: the file or an override cannot be read; one line with the place.
        """
        document = read_document(path)
        folders = (path.resolve().parent, Path.cwd())
        return cls(
            str(path),
            plain(document),
            overrides,
            document,
            folders,
        )

    @classmethod
    def of_values(
        cls,
        values: Mapping[str, Any],
        overrides: Overrides = (),
    ) -> Self:
        """A config as plain values.

        Args:
            values: as a YAML file would give them. The current folder may hold modules that they
                name.
            overrides: see ``of_file``.

        Raises:
            UserError: a value cannot stand in a config, or an override leads nowhere.
        """
        check_plain(dict(values))
        data = copy.deepcopy(dict(values))
        return cls("config", data, overrides, modules=(Path.cwd(),))

    def config(self, code: Code = "import") -> RunConfig:
        """The valid config.

        Args:
            code: what is done about ``package.module:Class``.

        Raises:
            UserError: with a line for each mistake: file and line, or the override.
        """
        try:
            with modules_in(self.modules if code == "import" else ()):
                config = validate_strictly(RunConfig, self._data, code)
            if code == "import":
                note_other_modules(self._data, self.modules)
            return config
        except ValidationError as error:
            found = mistakes(error, RunConfig, self._data)
        lines = [
            self._line(
                one.location,
                one.part,
                one.message,
            )
            for one in found
        ]
        raise SeveralMistakesError(lines)

    @contextmanager
    def blamed(self) -> Iterator[None]:
        """Inside of it, a ``UserError`` about a part of the config gets that part's file and line.

        Raises:
            UserError: with its place.
        """
        try:
            yield
        except UserError as error:
            where = error.location
            if not where:
                raise
            raise UserError(
                self._line(
                    where,
                    where,
                    error.message,
                )
            ) from error

    def _line(
        self,
        location: Location,
        part: Location,
        message: str,
    ) -> str:
        """The message with its place, and with the part where the place does not name it."""
        place, implied = self._place(location, part)
        sentence = [place, message] if implied else [place, dotted(part), message]
        return printable(": ".join(sentence))

    def _place(
        self,
        location: Location,
        part: Location,
    ) -> tuple[str, bool]:
        """The last override that said a part, or else the line; and whether that names the part."""
        over = [one for one in self.overrides if _begins(location, one.keys)]
        within = [one for one in self.overrides if _begins(one.keys, location)]
        line, whole = 0, False
        if self._document is not None:
            line, whole = line_of(self._document, location)
        if not over and not whole:
            # What the file does not have, an override must have begun.
            over = within
            within = []
        if over:
            return str(over[-1]), _begins(over[-1].keys, part)
        named = f"{self.name}:{line}" if line else self.name
        overrides = dict.fromkeys(map(str, within))
        return " with ".join([named, *overrides]), not part


def _begins(keys: Location, first: Location) -> bool:
    return keys[: len(first)] == first
