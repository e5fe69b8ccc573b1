"""``marl harbour RUN``: a command of the plugin's own."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def harbour(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run in the harbour.")],
    games: Annotated[
        int, typer.Option(min=1, max=100_000, help="How many ships.")
    ] = 200,
    seed: Annotated[int, typer.Option(min=0, help="Which ones.")] = 0,
) -> None:
    """How many ships the greedy team of a run moors.

    \f
    Args:
        run: the run folder.
        games: how many ships.
        seed: which ones.

    Raises:
        UserError: the run is of another environment, or has no checkpoint.
    """
    # Here, so that `marl --help` need not wait for it.
    from marl_core import UserError, load

    trained = load(run)
    name = trained.config.environment.name
    if name != "harbour":
        raise UserError(f"{run}: this run is not of the harbour, but of '{name}'")
    policy = trained.policy(mode="greedy")
    ships = policy.make_environment(games=games, seed=seed)
    observation = ships.reset()
    moored = ships.done
    while not ships.all_done:
        observation, _, _ = ships.step(policy(observation))
        assert ships.last is not None
        assert ships.last.won is not None
        moored = moored | ships.last.won
    typer.echo(f"{int(moored.sum())} of {games} ships are moored")
