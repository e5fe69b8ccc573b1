"""The command that exports a policy."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from marl_core.cli.arguments import RunArgument, TrustOption
from marl_core.cli.saying import say


def export(
    run: RunArgument,
    out: Annotated[
        Path,
        typer.Option(help="The file to write: .pt2 (torch.export) or .onnx."),
    ],
    trust: TrustOption = False,
) -> None:
    """Write a run's newest policy as a program that needs no framework, without resonance.

    \f
    Args:
        run: the run folder.
        out: the file to write.
        trust: whether the code that the run folder names may be run.

    Raises:
        UserError: the policy cannot be exported, or the file cannot be written.
    """
    from marl_core.export.export import export_run

    known = export_run(run, out, trust=trust)
    taken, given = ", ".join(known["inputs"]), ", ".join(known["outputs"])
    trained = f"{known['config']['host']['name']}, {known['episodes']} episodes"
    say(f"{out}: {trained}; {taken} -> {given}")
