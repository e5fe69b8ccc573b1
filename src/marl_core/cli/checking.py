"""``marl check``: the rules that a part of a run has to keep, over a class of one's own."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from marl_core.cli.saying import say

if TYPE_CHECKING:
    from marl_core.testing.judging import Verdict
    from marl_core.testing.rule import Rule

KindOfPart = Literal["environment", "host", "exploration", "coupling"]
#: The page that explains each rule.
RULES = "docs/reference/rules.md"


def check(
    kind: Annotated[KindOfPart, typer.Argument(help="What the class is.")],
    part: Annotated[
        str,
        typer.Argument(metavar="MODULE:CLASS", help="The class, or a registered name."),
    ],
    config: Annotated[
        Path | None,
        typer.Option(
            "--config",
            "-c",
            help="A run's YAML file that names the class, or its settings alone.",
        ),
    ] = None,
    overrides: Annotated[
        list[str] | None,
        typer.Option("--set", help="key=value: a setting of the class."),
    ] = None,
    environment: Annotated[
        str | None,
        typer.Option(
            help="What a host plays: a registered name, or module:Class. By default what "
            "--config says, or a small environment for practice."
        ),
    ] = None,
    device: Annotated[
        str, typer.Option(help="Where an environment plays: cpu, cuda.")
    ] = "cpu",
    seconds: Annotated[
        float,
        typer.Option(
            min=0.0, help="How long a failing example is made simpler, for each rule."
        ),
    ] = 5.0,
    traceback: Annotated[
        bool, typer.Option("--traceback", help="Show where exceptions come from.")
    ] = False,
) -> None:
    """Hold a class against the rules of its kind, and say which it breaks.

    Ends with status 1 if it breaks one.

    \f
    Args:
        kind: of part.
        part: the class, or a registered name.
        config: a run's YAML file that names it, or its settings alone.
        overrides: settings over what the file says.
        environment: what a host plays.
        device: where an environment plays.
        seconds: how long a failing example is made simpler, for each rule.
        traceback: whether tracebacks are shown.

    Raises:
        UserError: there is no such class, or it refuses its settings.
        Exit: a rule is broken.
    """
    from marl_core.cli.part_to_check import PartToCheck, check_device
    from marl_core.testing.examples import simplified_for
    from marl_core.testing.judging import judged

    check_device(device)
    chosen = PartToCheck.read(kind, part, config, overrides or [])
    with chosen.modules():
        checks, case, factory = chosen.case(environment, device)
    counts = {"passed": 0, "failed": 0, "not applicable": 0}
    with simplified_for(seconds):
        for verdict in judged(checks, case, factory):
            counts[verdict.outcome] += 1
            _tell(kind, verdict, checks, traceback)
    told = ", ".join(f"{count} {outcome}" for outcome, count in counts.items())
    say(f"{kind} {part}: {told}")
    if counts["failed"]:
        raise typer.Exit(1)


def _tell(
    kind: KindOfPart, verdict: Verdict, checks: Any, with_traceback: bool
) -> None:
    """A line for a rule; where it is broken, what was seen, with what, and what was expected."""
    reason = f": {verdict.message}" if verdict.message else ""
    say(f"{verdict.outcome:<15}{verdict.rule}{reason}")
    if verdict.outcome != "failed":
        return
    from marl_core.testing.rule import rule_of

    if verdict.example is not None:
        say(f"    with       {verdict.example}")
    if isinstance(verdict.error, AssertionError):
        _explain(rule_of(verdict.rule, checks[verdict.rule]), kind)
    if with_traceback and verdict.error is not None:
        from traceback import format_exception

        typer.echo("".join(format_exception(verdict.error)))


def _explain(rule: Rule, kind: KindOfPart) -> None:
    """What was expected, why, what to look for, and where to read on."""
    from marl_core.testing.rules_page import section_of

    say(f"    expected   {rule.asks}")
    say(f"    because    {rule.why}")
    say(f"    look for   {rule.broken_by}")
    say(f"    explained  {RULES}#{section_of(rule.name, kind)}")
