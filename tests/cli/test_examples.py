"""The examples: each config trains; what it adds of its own keeps the protocols' rules."""

from __future__ import annotations

import importlib
import shutil
import sys
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch

from marl_core.config.named import CouplingConfig
from marl_core.config.yaml_file import load_run
from marl_core.runs.folder import RunFolder
from marl_core.testing import check_coupling, check_environment, check_host
from marl_core.training import stages
from marl_core.training.watchers import Watchers
from tests.support.places import EXAMPLES

CONFIGS = sorted(EXAMPLES.glob("*.yaml"))


@pytest.fixture
def example(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Imports a module of the examples."""
    monkeypatch.syspath_prepend(str(EXAMPLES))
    return importlib.import_module


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_every_example_trains(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if "kernels: warp" in path.read_text():
        pytest.importorskip("warp", reason="an extra of the package")
    monkeypatch.chdir(tmp_path)
    if "run: runs/tag" in path.read_text():
        trained(EXAMPLES / "tag.yaml", tmp_path / "runs" / "tag")
    folder = trained(path, tmp_path / "run")
    assert folder.summary.exists()


def trained(path: Path, out: Path) -> RunFolder:
    """The run of an example, cut short."""
    small = [
        "training.episodes_per_update=32",
        "training.evaluation_episodes=8",
        "training.threads=1",
        # Two processes would be two of the tests.
        "training.devices=1",
    ]
    whole = load_run(path)
    lengths = [f"stages.{index}.episodes=64" for index in range(len(whole.stages))]
    settings = whole.environment.model_dump()
    if "max_steps" in settings:
        lengths.append("environment.max_steps=6")
    if "agents" in settings:
        lengths.append("environment.agents=4")
    run = load_run(path, [*small, *lengths])
    folder = RunFolder(out)
    folder.create(run)
    result = stages.train(run, folder, Watchers(progress_bar=False))
    assert result is not None
    assert torch.isfinite(torch.tensor(list(result.metrics().values()))).all()
    return folder


def test_there_is_an_example_of_each_host() -> None:
    assert {"ppo_ma", "qmix", "conc4hist"} <= {
        load_run(path).host.name for path in CONFIGS
    }
    assert EXAMPLES / "fme_qmix.yaml" in CONFIGS


def test_custom_environment_keeps_the_protocol(example: Any) -> None:
    module = example("custom_environment")
    assert module.NightWatch.__mro__ == (module.NightWatch, object)
    check_environment(partial(module.NightWatch, module.NightWatchConfig(agents=4)))


def test_custom_host_keeps_the_protocol(example: Any) -> None:
    module = example("custom_host")
    check_host(partial(module.Reinforce, module.ReinforceConfig()))


@pytest.mark.parametrize("bins", [pytest.param(1, marks=pytest.mark.slow), 4])
def test_custom_coupling_keeps_the_protocol(bins: int, example: Any) -> None:
    module = example("custom_exploration")
    config = module.CommonQuantileConfig(bins=bins)
    check_coupling(partial(module.CommonQuantile, config))


def test_custom_coupling_takes_the_policy_of_the_run() -> None:
    """As its docstring says: nothing but the coupling is named."""
    chosen = "stages.0.exploration={name: custom_exploration:CommonQuantile}"
    run = load_run(EXAMPLES / "fme_ppo_ma.yaml", [chosen])
    assert run.exploration.name == "entropy_sampling"
    exploration = run.stage_exploration(0)
    assert isinstance(exploration, CouplingConfig)
    assert exploration.name == "custom_exploration:CommonQuantile"
    assert exploration.individual == run.exploration


def test_custom_host_is_short() -> None:
    assert len((EXAMPLES / "custom_host.py").read_text().splitlines()) < 80


def test_readme_names_no_file_that_is_missing() -> None:
    readme = EXAMPLES.parent / "README.md"
    targets = [part.split(")")[0] for part in readme.read_text().split("](")[1:]]
    assert targets
    missing = [target for target in targets if not (readme.parent / target).exists()]
    assert not missing


def test_a_config_finds_the_module_beside_it_from_anywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("custom_host.yaml", "custom_host.py"):
        shutil.copy(EXAMPLES / name, tmp_path)
    monkeypatch.chdir("/")
    assert load_run(tmp_path / "custom_host.yaml").host.name == "custom_host:Reinforce"


def test_a_run_finds_its_modules_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run folder holds no module of the user's, and a run can be resumed from any directory."""
    for name in ("custom_environment.yaml", "custom_environment.py"):
        shutil.copy(EXAMPLES / name, tmp_path)
    config = load_run(tmp_path / "custom_environment.yaml")
    folder = RunFolder(tmp_path / "run", trust=True)
    folder.create(config)
    monkeypatch.setattr(
        sys, "path", [entry for entry in sys.path if entry != str(tmp_path)]
    )
    monkeypatch.delitem(sys.modules, "custom_environment", raising=False)
    monkeypatch.chdir("/")
    assert folder.load_config().environment.name == "custom_environment:NightWatch"
