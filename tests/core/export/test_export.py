"""``marl export``: what is in the file is the policy, and needs nothing of ours."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from marl_core import load
from marl_core.api.run import Run
from marl_core.entity_rows import write_out_entities
from marl_core.errors import UserError
from marl_core.export import export, formats
from marl_core.export.beginning import beginning
from marl_core.export.export import export_state
from marl_core.export.formats import METADATA, Runner, runner_of
from marl_core.export.team_program import MEMORY, NEXT_MEMORY, TeamProgram
from marl_core.types import Observation
from marl_envs.fme import FME
from tests.support.command import Command, refused
from tests.support.runs import go_on, run_data, start

#: The hosts, and the second stages of their runs. ADCA gives entities as rows of the game.
RUNS = {
    "ppo_ma": ("ppo_ma", "pr_fast"),
    "qmix": ("qmix", "pr"),
    "mappo": ("ppo_ma", "pr"),
    "conc4hist": ("conc4hist", "pr"),
    "adca": ("conc4hist", "pr_fast"),
}
NAMES = [
    "ppo_ma",
    "qmix",
    "mappo",
    pytest.param("conc4hist", marks=pytest.mark.slow),
    "adca",
]
KINDS = ["pt2", pytest.param("onnx", marks=pytest.mark.slow)]
_trained: dict[str, Path] = {}
_written: dict[tuple[str, str], Path] = {}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("exported")


def _run(folder: Path, name: str) -> Run:
    """A short run, trained when it is first asked for."""
    if name not in _trained:
        host, second = RUNS[name]
        data = run_data(second, (2, 2), host=host)
        if name == "adca":
            environment = {"name": "adca", "agents": 5, "attackers": 4, "max_steps": 9}
            data["environment"] = environment
        if name == "mappo":
            data["host"] = {"name": "mappo", "body": "gru"}
        path = folder / name
        go_on(start(path, data))
        _trained[name] = path
    return load(_trained[name], trust=True)


def _exported(folder: Path, name: str, kind: str) -> Path:
    """The file of a run's policy, written when it is first asked for."""
    if kind == "onnx":
        for package in ("onnx", "onnxscript", "onnxruntime"):
            pytest.importorskip(package)
    if (name, kind) not in _written:
        out = folder / f"{name}.{kind}"
        _run(folder, name).export(out)
        _written[name, kind] = out
    return _written[name, kind]


def _seen(observation: Observation) -> dict[str, Tensor]:
    parts = write_out_entities(observation).tensors()
    return dict(parts)


def _metadata(kind: str, content: bytes) -> dict[str, Any]:
    if kind == "pt2":
        extra = {METADATA: ""}
        torch.export.load(io.BytesIO(content), extra_files=extra)
        said = extra[METADATA]
    else:
        import onnxruntime

        session = onnxruntime.InferenceSession(content)
        said = session.get_modelmeta().custom_metadata_map[METADATA]
    found: dict[str, Any] = json.loads(said)
    return found


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", NAMES)
def test_the_file_plays_as_the_host_does(folder: Path, name: str, kind: str) -> None:
    """Whole episodes, in more games than it was made with, beside the loaded policy."""
    content = _exported(folder, name, kind).read_bytes()
    act = runner_of(kind, content)
    known = _metadata(kind, content)
    policy = _run(folder, name).policy("greedy")
    state = policy.state
    games = policy.make_environment(games=6, seed=8)
    observation = games.reset()
    memory = {
        key: torch.zeros(6, *one["shape"][1:], dtype=getattr(torch, one["dtype"]))
        for key, one in known["inputs"].items()
        if key.startswith(MEMORY)
    }
    steps = 0
    while not games.all_done:
        given = {**_seen(observation), **memory}
        outputs = act({key: given[key] for key in known["inputs"]})
        assert list(outputs) == list(known["outputs"])
        own = {key.removeprefix(MEMORY): value for key, value in memory.items()}
        scores, _ = state.host.scores(write_out_entities(observation), own)
        legal = observation.legal_actions()
        individual = state.exploration.individual
        expected = individual.log_policy(scores, legal, state.progress).exp()
        alive = observation.alive
        if alive is None:
            alive = torch.ones(expected.shape[:-1], dtype=torch.bool)
        found = outputs["probabilities"]
        assert torch.allclose(found[alive], expected.detach()[alive], atol=1e-5)
        assert (found[~alive][:, 0] == 1).all()
        actions = policy(observation)
        assert torch.equal(outputs["greedy"], actions)
        memory = {
            key: outputs[NEXT_MEMORY + key.removeprefix(MEMORY)] for key in memory
        }
        observation, _, _ = games.step(actions)
        steps += 1
    assert steps > 1
    assert bool(memory) == (name not in ("ppo_ma", "qmix"))


@pytest.mark.parametrize("kind", KINDS)
def test_what_the_file_says_of_itself(folder: Path, kind: str) -> None:
    known = _metadata(kind, _exported(folder, "adca", kind).read_bytes())
    run = _run(folder, "adca")
    assert known["config"] == json.loads(run.config.model_dump_json())
    assert known["spec"]["agents"] == 5
    assert known["episodes"] == 64
    assert known["action_names"][:2] == ["stay", "push right"]
    assert known["inputs"]["memory_past"]["shape"][:2] == ["games", 5]
    assert known["inputs"]["entity_mask"]["dtype"] == "bool"
    assert known["outputs"]["greedy"] == {"dtype": "int64", "shape": ["games", 5]}
    assert known["versions"]["torch"] == torch.__version__
    # Actions without names have numbers.
    numbers = _metadata(kind, _exported(folder, "ppo_ma", kind).read_bytes())
    assert numbers["action_names"] == [str(action) for action in range(10)]


@pytest.mark.parametrize(
    ("name", "learner"),
    [("ppo_ma", "critic"), ("qmix", "mixer"), ("qmix", "target"), ("adca", "critic")],
)
def test_what_only_the_learner_needs_is_not_in_it(
    folder: Path, name: str, learner: str
) -> None:
    program = torch.export.load(_exported(folder, name, "pt2"))
    sizes = {key: value.numel() for key, value in program.state_dict.items()}
    assert sum(sizes.values()) > 0
    assert sum(size for key, size in sizes.items() if learner in key) == 0
    # The host still has it.
    host = _run(folder, name).policy().state.host
    state = host.state_dict()
    assert sum(v.numel() for k, v in state.items() if learner in k) > 0


#: A program that has torch, and nothing of this project.
_ALONE = """
import sys
class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"marl_core", "marl_envs", "marl_pr", "lightning"}:
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Blocked())
import torch
act = torch.export.load(sys.argv[1]).module()
print(act({"features": torch.zeros(2, 5, 6)})["greedy"].shape)
"""


def test_torch_alone_reads_it(folder: Path) -> None:
    out = _exported(folder, "ppo_ma", "pt2")
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", _ALONE, str(out)],
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.stdout == "torch.Size([2, 5])\n", done.stderr


# Refused


@pytest.fixture
def run(folder: Path, marl: Command) -> Path:
    _run(folder, "ppo_ma")
    shutil.copytree(_trained["ppo_ma"], marl.folder / "run")
    return Path("run")


def test_the_command(marl: Command, run: Path) -> None:
    said = marl("export", str(run), "--out", "team.pt2")
    assert said.status == 0, said.err
    expected = "team.pt2: ppo_ma, 64 episodes; features -> greedy, probabilities\n"
    assert said.out == expected
    assert said.err == ""
    assert (marl.folder / "team.pt2").stat().st_size > 1000


@pytest.mark.parametrize(
    ("out", "said"),
    [
        ("team.pth", "team.pth: the ending says what to write, but '.pth' is none of"),
        ("team", "team: the ending says what to write, but the name has none of"),
        ("no/team.pt2", "no/team.pt2: cannot write the policy: there is no folder no"),
        (".", "the ending says what to write"),
    ],
)
def test_a_file_that_cannot_be(marl: Command, run: Path, out: str, said: str) -> None:
    assert said in refused(marl, "export", str(run), "--out", out)


def test_onnx_that_is_not_installed(
    marl: Command, run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(formats, "find_spec", lambda name: None)
    line = refused(marl, "export", str(run), "--out", "team.onnx")
    assert line == (
        "team.onnx: ONNX needs onnx, onnxscript, onnxruntime; "
        "`pip install 'policy-resonance[onnx]'` brings it; .pt2 needs nothing"
    )


def test_no_run_no_checkpoint_a_damaged_one(marl: Command, run: Path) -> None:
    marl.write("precious", "folder/file")
    for missing in ("folder", "nowhere"):
        line = refused(marl, "export", missing, "--out", "team.pt2")
        assert line == f"{missing}: no run here: there is no config.yaml"
    checkpoints = marl.folder / run / "checkpoints"
    for file in checkpoints.iterdir():
        file.write_bytes(file.read_bytes()[:-1000])
    assert ".ckpt: " in refused(marl, "export", "run", "--out", "team.pt2")
    shutil.rmtree(checkpoints)
    assert "no checkpoint yet" in refused(marl, "export", "run", "--out", "team.pt2")


class Off:
    """A program whose probabilities are not the policy's."""

    def __init__(self, act: Runner, name: str) -> None:
        self._act, self._name = act, name

    def __call__(self, inputs: Any) -> dict[str, Tensor]:
        outputs = self._act(inputs)
        if self._name == "greedy":
            return {**outputs, "greedy": outputs["probabilities"].argmin(-1)}
        return {**outputs, self._name: outputs[self._name] * 0.99 + 0.001}


@pytest.mark.parametrize("wrong", ["probabilities", "greedy", "next_memory_hidden"])
def test_a_program_that_is_not_the_policy_is_not_written(
    folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, wrong: str
) -> None:
    name = "mappo" if wrong == "next_memory_hidden" else "ppo_ma"
    state = _run(folder, name).policy().state

    def runner(kind: str, content: bytes) -> Runner:
        return Off(runner_of(kind, content), wrong)

    monkeypatch.setattr(export, "runner_of", runner)
    with pytest.raises(UserError, match=f"'{wrong}' is off by"):
        export_state(state, tmp_path / "team.pt2", "pt2")
    assert not list(tmp_path.iterdir())


class Host(nn.Module):
    """A host that does what cannot be exported."""

    def __init__(self, fault: str) -> None:
        super().__init__()
        self.fault = fault
        self.layer = nn.Linear(6, 10)

    def initial_memory(self, games: int) -> dict[str, Tensor]:
        return {"count": torch.ones(games)} if self.fault == "memory" else {}

    def scores(self, observation: Observation, memory: Any) -> tuple[Tensor, Any]:
        seen = observation.features
        assert seen is not None
        if self.fault == "branch" and float(seen.sum()) > 0:
            seen = -seen
        if self.fault == "constant":
            seen = seen[:3]
        return self.layer(seen), memory


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("branch", "cannot be exported: torch says: "),
        ("memory", "its memory 'count' begins with other numbers than zeros"),
        ("constant", "this host cannot be exported"),
    ],
)
def test_hosts_that_cannot_be_exported(
    folder: Path, tmp_path: Path, fault: str, said: str
) -> None:
    state = replace(_run(folder, "ppo_ma").policy().state, host=Host(fault))  # type: ignore[arg-type]
    with pytest.raises(UserError, match=said) as caught:
        export_state(state, tmp_path / "team.pt2", "pt2")
    assert "\n" not in str(caught.value)


def test_names_that_do_not_fit_the_actions(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FME, "action_names", ("stay", "go"), raising=False)
    with pytest.raises(UserError, match="FME has 2 action_names for 10 actions"):
        beginning(_run(folder, "ppo_ma").policy().state, games=1)


def test_a_host_that_is_no_module(folder: Path) -> None:
    state = replace(_run(folder, "ppo_ma").policy().state, host=object())  # type: ignore[arg-type]
    with pytest.raises(UserError, match=r"it is no torch\.nn\.Module"):
        TeamProgram(state)
