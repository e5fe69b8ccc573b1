"""The command that exports a policy."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from marl_core.cli.arguments import CheckpointOption, RunArgument, TrustOption
from marl_core.cli.saying import say


def export(
    run: RunArgument,
    out: Annotated[
        Path,
        typer.Option(help="The file to write: .pt2 (torch.export) or .onnx."),
    ],
    checkpoint: CheckpointOption = None,
    trust: TrustOption = False,
) -> None:
    """Write a run's newest policy as a program that needs no framework, without resonance.

    \f
    Args:
        run: the run folder.
        out: the file to write.
        checkpoint: which kept checkpoint; None: the newest.
        trust: whether the code that the run folder names may be run.

    Raises:
        UserError: the policy cannot be exported, or the file cannot be written.
    """
    from marl_core.export.export import export_run
    from marl_core.runs.folder import RunFolder

    folder = RunFolder(run, trust=trust, checkpoint=checkpoint)
    known = export_run(folder, out)
    taken, given = ", ".join(known["inputs"]), ", ".join(known["outputs"])
    trained = f"{known['config']['host']['name']}, {known['episodes']} episodes"
    say(f"{out}: {trained}; {taken} -> {given}")
