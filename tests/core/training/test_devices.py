"""Devices that are not there, and strategies that are not this project's."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from marl_core.config.run import RunConfig, TrainingConfig
from marl_core.errors import UserError
from marl_core.training.compiler import check_compiler, refusal
from marl_core.training.devices import accelerator_of, device_of
from marl_core.training.stages import check
from tests.support.runs import run_data


@pytest.fixture
def _a_mac(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)


@pytest.mark.usefixtures("_a_mac")
@pytest.mark.parametrize("accelerator", ["mps", "gpu"])
def test_apple_gpus_are_refused_in_a_line(accelerator: str) -> None:
    config = RunConfig.model_validate(run_data(accelerator=accelerator))
    with pytest.raises(UserError, match=r"training\.accelerator: .*double") as error:
        check(config)
    assert "\n" not in str(error.value)


@pytest.mark.usefixtures("_a_mac")
def test_auto_takes_no_apple_gpu() -> None:
    training = TrainingConfig(accelerator="auto")
    assert accelerator_of(training) == "cpu"
    assert device_of(training) == torch.device("cpu")


@pytest.mark.parametrize("strategy", ["ddp_spawn", "ddp_fork"])
def test_strategies_that_take_the_result_with_them_are_refused(strategy: str) -> None:
    """The processes that have learnt end, and the first one would evaluate what it began with."""
    config = RunConfig.model_validate(run_data(devices=2, strategy=strategy))
    with pytest.raises(UserError, match=rf"strategy '{strategy}' is not one of"):
        check(config)


def test_a_compiler_s_own_words_are_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path / "with space"))
    said = "CppCompileError: C++ compile error\n\nCommand:\ng++ x\n\nOutput:\ng++: no\n"
    message = str(refusal("the losses", RuntimeError(said)))
    assert "torch cannot compile the losses: g++: no; " in message
    assert "with space" in message
    assert "\n" not in message


@pytest.mark.slow
def test_no_compiler_is_seen_before_anything_is_written(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from torch._inductor import config as inductor

    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(inductor.cpp, "cxx", ("no-such-compiler",))
    with pytest.raises(UserError, match="cannot compile"):
        check_compiler(TrainingConfig())
