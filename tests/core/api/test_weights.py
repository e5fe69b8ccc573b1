"""A run that begins with parameters from a file."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from marl_core import Run, RunConfig, UserError, train
from marl_core.notes import RunWarning
from marl_core.runs.assembly import begun_state
from marl_core.runs.folder import RunFolder
from marl_core.runs.weights import read_weights
from tests.support.command import Command, refused
from tests.support.runs import run_data

ONE_STAGE = {"episodes": 16}


@pytest.fixture(scope="module")
def learnt(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run that has learnt a little."""
    folder = tmp_path_factory.mktemp("learnt") / "run"
    return train(_data(), out=folder, progress=False)


def _data(**changes: object) -> dict[str, object]:
    return {**run_data(updates=(1, 1)), "stages": [ONE_STAGE], **changes}


def _begins_with(run: Run) -> dict[str, Tensor]:
    tensors: dict[str, Tensor] = torch.load(
        RunFolder(run.path).start, weights_only=True
    )
    return tensors


def _same(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return one.keys() == other.keys() and all(
        torch.equal(one[name], other[name]) for name in one
    )


@pytest.mark.parametrize("kind", ["folder", "checkpoint", "prefixed", "state_dict"])
def test_weights_of_any_origin(learnt: Run, tmp_path: Path, kind: str) -> None:
    whole = read_weights(learnt.path)
    path = learnt.path
    if kind == "checkpoint":
        path = RunFolder(learnt.path).checkpoint
    elif kind != "folder":
        path = tmp_path / "weights.pt"
        prefixed = {f"host.{name}": value for name, value in whole.items()}
        saved = {"state_dict": {**prefixed, "step": torch.ones(1)}}
        torch.save(saved if kind == "prefixed" else whole, path)
    run = train(_data(seed=5), out=tmp_path / "run", weights=path, progress=False)
    assert _same(_begins_with(run), whole)
    assert run.transferred is not None
    assert run.transferred.origin == str(path)
    assert not run.transferred.drawn_anew


def test_it_goes_on_from_there(learnt: Run, tmp_path: Path) -> None:
    """A run learns on, from what it began with and not from anything else."""
    run = train(_data(seed=5), out=tmp_path / "a", weights=learnt.path, progress=False)
    again = train(_data(seed=5), out=tmp_path / "b", weights=run.path, progress=False)
    other = train(_data(seed=5), out=tmp_path / "c", progress=False)
    weights = [read_weights(one.path) for one in (learnt, run, again, other)]
    for index, one in enumerate(weights):
        assert not any(_same(one, before) for before in weights[:index])


def test_heads_of_their_own_begin_as_copies(learnt: Run, tmp_path: Path) -> None:
    """Where the first stage gives every agent a head; and a team that has them keeps them."""
    fast = _data(stages=[{**ONE_STAGE, **run_data("pr_fast")["stages"][1]}])
    fast["stages"] = [{**fast["stages"][0], **ONE_STAGE}]  # type: ignore[index]
    first = train(fast, out=tmp_path / "first", weights=learnt.path, progress=False)
    assert first.transferred is not None
    assert not first.transferred.drawn_anew
    config = RunConfig.model_validate(fast)
    for run in (learnt, first):
        whole = read_weights(run.path)
        state, left = begun_state(config, whole)
        assert not left
        for name, value in state.host.state_dict().items():
            assert torch.equal(value, whole[name].expand_as(value)), name


def test_what_does_not_fit_is_named(learnt: Run, tmp_path: Path) -> None:
    weights = read_weights(learnt.path)
    first, second, *_ = weights
    weights[first] = torch.zeros(3, 2)
    del weights[second]
    weights["surplus"] = torch.zeros(2)
    path = tmp_path / "weights.pt"
    torch.save(weights, path)
    with pytest.warns(RunWarning) as said:
        run = train(_data(), out=tmp_path / "run", weights=path, progress=False)
    assert run.transferred is not None
    assert set(run.transferred.drawn_anew) == {first, second}
    anew, unused = (str(warning.message) for warning in said)
    assert f"{second}: not there" in anew
    assert ", 3x2 there" in anew
    assert unused == f"{path}: not used: surplus"


def test_resumed_without_the_file(learnt: Run, tmp_path: Path) -> None:
    """Only where it has begun with the same parameters does a run go on."""
    path = tmp_path / "weights.pt"
    torch.save(read_weights(learnt.path), path)
    out = tmp_path / "run"
    first = train(_data(), out=out, weights=path, progress=False)
    train(_data(), out=out, weights=path, resume=True, progress=False)
    changed = {name: value + 1 for name, value in read_weights(learnt.path).items()}
    torch.save(changed, path)
    with pytest.raises(UserError, match="has not begun with the parameters of"):
        train(_data(), out=out, weights=path, resume=True, progress=False)
    path.unlink()
    RunFolder(out).checkpoint.unlink()
    assert comes_to_the_same(first)


def comes_to_the_same(run: Run) -> bool:
    """Whether a run that has lost its checkpoint comes to the same parameters once more."""
    before = run.summary.scores
    return run.resume(progress=False).summary.scores == before


@pytest.mark.parametrize("content", [b"", b"no weights", None, nn.ReLU, {"a": 1}, [1]])
def test_what_is_no_file_of_weights(
    marl: Command, tmp_path: Path, content: object
) -> None:
    path = tmp_path / "weights.pt"
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content is not None:
        torch.save(content() if callable(content) else content, path)
    config = str(marl.write())
    line = refused(marl, "train", config, "--weights", str(path), "--run-dir", "run")
    assert str(path) in line
    assert not (tmp_path / "run").exists()


def test_a_damaged_checkpoint_gives_no_weights(learnt: Run, tmp_path: Path) -> None:
    content = bytearray(RunFolder(learnt.path).checkpoint.read_bytes())
    content[len(content) // 2] ^= 1
    path = tmp_path / "last.ckpt"
    path.write_bytes(bytes(content))
    with pytest.raises(UserError, match="checksum is another one"):
        read_weights(path)


def test_a_pipe_is_not_waited_for(marl: Command, tmp_path: Path) -> None:
    path = tmp_path / "weights.pt"
    os.mkfifo(path)
    line = refused(marl, "train", str(marl.write()), "--weights", str(path))
    assert "this is a pipe, where a file is needed" in line


def test_nothing_fits(marl: Command, tmp_path: Path) -> None:
    path = tmp_path / "weights.pt"
    torch.save({"layer": torch.zeros(2)}, path)
    line = refused(marl, "train", str(marl.write()), "--weights", str(path))
    assert "none of them fits" in line
