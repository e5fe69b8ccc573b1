"""``marl diagnose``.

Everything heavy is imported inside the functions, because ``marl --help`` imports this file.
"""

from __future__ import annotations

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated

import typer

from marl_core.base_config import MOST_IN_ALL, MOST_TEST_EPISODES
from marl_core.cli.arguments import (
    CheckpointOption,
    ConfigOption,
    SetOption,
    TrustOption,
)
from marl_core.errors import UserError

if TYPE_CHECKING:
    from marl_core.config.run import RunConfig
    from marl_core.run_state import RunState
    from marl_pr.diagnosis.sentence import Subject

_Run = Annotated[Path | None, typer.Argument(metavar="RUN", help="A run folder.")]
_Train = Annotated[
    int,
    typer.Option(
        min=0,
        max=MOST_IN_ALL,
        help="Episodes for which the config's team is trained first, as its first stage says; "
        "nothing of that is kept.",
    ),
]
_Episodes = Annotated[
    int | None,
    typer.Option(
        min=40,
        max=MOST_TEST_EPISODES,
        help="Games in each of four ways of play; by default 2048 for each agent, at most 16384.",
    ),
]
_Discount = Annotated[
    float,
    typer.Option(min=0, max=1, help="The weight of a reward one step later."),
]
_Horizon = Annotated[
    int | None,
    typer.Option(
        min=1,
        help="Steps of reward that count as a deviation's; by default all.",
    ),
]
_Json = Annotated[
    bool,
    typer.Option("--json", help="One JSON object on standard output."),
]
_Out = Annotated[Path | None, typer.Option(help="A picture of it, as diagnosis.png.")]


def diagnose(
    run: _Run = None,
    config: ConfigOption = None,
    overrides: SetOption = None,
    train: _Train = 0,
    episodes: _Episodes = None,
    discount: _Discount = 0.99,
    horizon: _Horizon = None,
    as_json: _Json = False,
    out: _Out = None,
    checkpoint: CheckpointOption = None,
    trust: TrustOption = False,
) -> None:
    """Does a team suffer from the diffusion of responsibility? From its games alone.

    \f
    Args:
        run: the run folder.
        config: the YAML file, where there is no run.
        overrides: settings over what the file says.
        train: for how many episodes the config's team is trained before.
        episodes: games in each way of play; None: by the number of agents.
        discount: the weight of a reward one step later.
        horizon: steps of reward that count as a deviation's; None: all.
        as_json: print one JSON object in place of tables.
        out: where a picture goes; None: nowhere.
        checkpoint: which kept checkpoint of the run; None: the newest.
        trust: whether the code that the run folder names may be run.

    Raises:
        UserError: there is no team to look at, or it cannot be diagnosed.
    """
    if (run is None) == (config is None):
        raise UserError("give a run folder or --config FILE, and not both")
    if run is None:
        assert config is not None
        if checkpoint is not None:
            raise UserError("--checkpoint is of a run folder, and there is none")
        state, subject = _of_config(config, overrides or [], train)
    else:
        if overrides or train:
            raise UserError("--set and --train are for a config, not for a run folder")
        state, subject = _of_run(run, checkpoint, trust)

    from marl_pr.diagnosis.diagnosis import diagnose as diagnosis_of
    from marl_pr.diagnosis.picture import write_picture
    from marl_pr.diagnosis.plain import as_json as plain
    from marl_pr.diagnosis.text import print_diagnosis

    found = diagnosis_of(state, episodes, discount, horizon)
    if out is not None:
        write_picture(found, out)
    if as_json:
        typer.echo(json.dumps(plain(found, subject)))
    else:
        print_diagnosis(found, subject)


def _of_run(
    run: Path,
    checkpoint: str | None,
    trust: bool,
) -> tuple[RunState, Subject]:
    from marl_core.runs.assembly import newest_state
    from marl_core.runs.folder import RunFolder
    from marl_pr.diagnosis.sentence import Subject

    folder = RunFolder(run, trust=trust, checkpoint=checkpoint)
    state = newest_state(folder)
    last = len(state.config.stages) - 1
    return state, Subject(run / "config.yaml", run, last_stage=last)


def _of_config(
    file: Path,
    settings: list[str],
    train: int,
) -> tuple[RunState, Subject]:
    from marl_core.config.yaml_file import RunSource
    from marl_core.runs.assembly import first_state
    from marl_core.training.stages import check
    from marl_pr.diagnosis.diagnosis import check as check_task
    from marl_pr.diagnosis.sentence import Subject

    source = RunSource.of_file(file, settings)
    config = source.config()
    with source.blamed():
        check(config)
        state = first_state(config)
        check_task(state.spec, config.environment.name)
    if train:
        state = _trained(file, settings, config, train)
    last = len(config.stages) - 1
    return state, Subject(file, None, tuple(settings), train, last)


def _trained(
    file: Path,
    settings: list[str],
    config: RunConfig,
    episodes: int,
) -> RunState:
    """The config's team after some episodes of its first stage, trained in a passing folder."""
    from marl_core.api.training import train
    from marl_core.runs.assembly import newest_state
    from marl_core.runs.folder import RunFolder

    stage = config.stages[0].model_dump(mode="json", exclude_unset=True)
    stages = "stages=" + json.dumps([stage | {"episodes": episodes}])
    with TemporaryDirectory() as folder:
        out = Path(folder) / "run"
        train(file, set=[*settings, stages], out=out, progress=False)
        return newest_state(RunFolder(out, trust=True))
