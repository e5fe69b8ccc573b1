"""A run that begins with the parameters of another one, as far as they fit."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import final

import torch
from torch import Tensor

from marl_core.config.run import RunConfig
from marl_core.errors import UserError
from marl_core.notes import note
from marl_core.protocols import HostAlgorithm
from marl_core.runs.assembly import begun_state, newest_state
from marl_core.runs.checkpoint_file import read_tensors
from marl_core.runs.folder import RunFolder
from marl_core.runs.seal import sealed
from marl_core.runs.weights import read_weights
from marl_core.runs.whole_writes import write_whole

#: The file of a run folder that says what was taken over.
_FILE = "transfer.json"


@final
@dataclass(frozen=True)
class Transferred:
    """What a run took over from another one.

    Attributes:
        origin: the folder of the other run, or the file that the parameters are from.
        taken: the names of the parameters that were taken over.
        drawn_anew: the names of those that did not fit, each with the reason.
    """

    origin: str
    taken: tuple[str, ...]
    drawn_anew: Mapping[str, str]


def begin_from(
    first: RunFolder,
    folder: RunFolder,
    config: RunConfig,
) -> Transferred:
    """Have a folder hold a new run that begins with another run's parameters.

    Args:
        first: the other run; it stays as it is.
        folder: where the new run goes.
        config: the new run's.

    Returns:
        What is taken over.

    Raises:
        UserError: no parameter fits, or there is a run in the folder already.
    """
    learnt = _tensors(newest_state(first).host)
    return _begin(str(first.path), learnt, folder, config)


def begin(
    folder: RunFolder,
    config: RunConfig,
    weights: str | Path | None,
) -> None:
    """Have a folder hold a new run.

    Args:
        folder: where the run goes.
        config: the run's.
        weights: with whose parameters it begins (``read_weights``); what does not fit, on either
            side, is noted. None: all parameters are drawn anew.

    Raises:
        UserError: no parameter fits, or there is a run in the folder already.
    """
    if weights is None:
        folder.create(config)
        return
    # Before the file is read.
    folder.refuse_another_run(config)
    learnt = read_weights(Path(weights))
    found = _begin(str(weights), learnt, folder, config)
    if found.drawn_anew:
        note(f"{weights}: drawn anew: {_listed(found.drawn_anew)}")
    known = {*found.taken, *found.drawn_anew}
    unused = [name for name in learnt if name not in known]
    if unused:
        note(f"{weights}: not used: {', '.join(unused)}")


def check_beginning(folder: RunFolder, weights: str | Path | None) -> None:
    """See that a run has begun with the parameters that are asked for, or with none.

    Args:
        folder: the run's.
        weights: see ``begin``.

    Raises:
        UserError: it has not.
    """
    if weights is None:
        found = read_transferred(folder)
        if found is None:
            return
        message = f"has begun with the parameters of {found.origin}, not with new ones"
    elif _has_begun_with(Path(weights), folder):
        return
    else:
        message = f"has not begun with the parameters of {weights}"
    raise UserError(f"{folder.path}: the run there {message}")


def _has_begun_with(weights: Path, folder: RunFolder) -> bool:
    if not folder.start.exists():
        return False
    learnt = read_weights(weights)
    return all(
        name in learnt and torch.equal(learnt[name].to(value.dtype), value)
        for name, value in read_tensors(folder.start).items()
    )


def _begin(
    origin: str,
    learnt: Mapping[str, Tensor],
    folder: RunFolder,
    config: RunConfig,
) -> Transferred:
    state, left = begun_state(config, learnt)
    own = _tensors(state.host)
    found = _compared(origin, learnt, own, left)
    if not found.taken:
        message = (
            f"{origin}: host '{config.host.name}' cannot begin with these parameters: "
            f"none of them fits ({_listed(found.drawn_anew)})"
        )
        raise UserError(message)
    content = io.BytesIO()
    taken = {name: learnt[name].to(own[name].dtype) for name in found.taken}
    torch.save(taken, content)
    folder.create(config, sealed(content.getvalue()))
    said = json.dumps(asdict(found), indent=2) + "\n"
    write_whole(folder.path / _FILE, said.encode())
    return found


def read_transferred(folder: RunFolder) -> Transferred | None:
    """What a run took over when it began; None where it began anew.

    Args:
        folder: the run's.
    """
    path = folder.path / _FILE
    if not path.exists():
        return None
    saved = json.loads(path.read_bytes())
    taken = tuple(saved["taken"])
    return Transferred(saved["origin"], taken, saved["drawn_anew"])


def _tensors(host: HostAlgorithm) -> dict[str, Tensor]:
    state = host.state_dict()
    return {name: value for name, value in state.items() if isinstance(value, Tensor)}


def _compared(
    origin: str,
    learnt: Mapping[str, Tensor],
    own: Mapping[str, Tensor],
    left: Mapping[str, Tensor],
) -> Transferred:
    anew: dict[str, str] = {}
    for name, value in own.items():
        if name not in learnt:
            anew[name] = "not there"
        elif name in left:
            anew[name] = f"{_size(value)} here, {_size(learnt[name])} there"
    taken = tuple(name for name in own if name not in anew)
    return Transferred(origin, taken, anew)


def _size(value: Tensor) -> str:
    return "x".join(map(str, value.shape)) or "a number"


def _listed(reasons: Mapping[str, str]) -> str:
    return ", ".join(f"{name}: {reason}" for name, reason in reasons.items())
