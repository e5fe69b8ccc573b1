"""``marl list``: what a config can name, and the settings of each part."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from marl_core.errors import UserError, suggestion

if TYPE_CHECKING:
    from pydantic import BaseModel
    from rich.table import Table
    from rich.text import Text

    from marl_core.base_config import Kind


def list_components(
    what: Annotated[
        str | None,
        typer.Argument(
            metavar="[NAME]",
            help="A part, `training`, `stages` or `run`: list its settings.",
        ),
    ] = None,
) -> None:
    """List what can be named in a config, or the settings of one part.

    \f
    Args:
        what: the part; None: list everything.

    Raises:
        UserError: there is no such part.
    """
    from rich.console import Console

    if what is None:
        Console().print(_everything())
        return
    for title, model in _models(what):
        Console().print(_settings(title, model))


def _everything() -> Table:
    from rich.table import Table
    from rich.text import Text

    from marl_core.base_config import KINDS
    from marl_core.registry import commands, names

    table = Table(caption="`marl list NAME` lists the settings of a part")
    table.add_column("kind", no_wrap=True)
    table.add_column("name", no_wrap=True)
    table.add_column("what it is, and from where", overflow="fold")
    for kind in KINDS:
        for name in names(kind):
            table.add_row(kind, name, _described(kind, name))
    for name in sorted(_sections()):
        table.add_row("section", name, "settings of a config")
    for name, entry in sorted(commands().items()):
        table.add_row("command", name, Text(entry.value, "dim"))
    return table


def _described(kind: Kind, name: str) -> Text:
    from rich.text import Text

    from marl_core.registry import find

    try:
        found: Any = find(kind, name)
    except LookupError as error:
        return Text(str(error.args[0]), "red")
    first = (found.__doc__ or " ").splitlines()[0].strip()
    return Text(first).append(f" {found.__module__}", "dim")


def _sections() -> dict[str, type[BaseModel]]:
    """The parts of a config that have no name of their own."""
    from marl_core.config.run import RunConfig, StageConfig, TrainingConfig

    return {"run": RunConfig, "stages": StageConfig, "training": TrainingConfig}


def _models(what: str) -> list[tuple[str, type[BaseModel]]]:
    """The configs that go by a name, each with a title."""
    from marl_core.base_config import KINDS
    from marl_core.config.named import config_class
    from marl_core.registry import find, names

    sections = _sections()
    if what in sections:
        return [(what, sections[what])]
    kinds = [kind for kind in KINDS if what in names(kind)]
    if not kinds:
        known = [*sections, *(name for kind in KINDS for name in names(kind))]
        hint = suggestion(what, known) or f" (known: {', '.join(known)})"
        raise UserError(f"there is no '{what}' to list{hint}")
    try:
        found = [(kind, config_class(kind, find(kind, what))) for kind in kinds]
    except LookupError as error:
        raise UserError(str(error.args[0])) from error
    return [(f"{kind} {what}", model) for kind, model in found]


def _settings(title: str, model: type[BaseModel]) -> Table:
    from rich.table import Table
    from rich.text import Text

    table = Table(title=title, title_justify="left")
    table.add_column("setting", no_wrap=True)
    table.add_column("default", overflow="fold")
    table.add_column("meaning", overflow="fold")
    for name, field in model.model_fields.items():
        if name == "name":
            continue
        default = "needed" if field.is_required() else _shown(field.get_default())
        described = field.description or ""
        table.add_row(name, Text(default), Text(described))
    return table


def _shown(value: object) -> str:
    """A default in YAML's words."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return "[" + ", ".join(map(_shown, value)) + "]"
    if hasattr(value, "model_dump"):
        return "see its own settings"
    return str(value)
