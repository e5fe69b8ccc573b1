"""Laws at the edges of the contract: they keep its rules, train, and go on exactly."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from marl_core.runs.assembly import newest_state
from marl_core.runs.metrics_rows import read_metrics
from marl_core.sequential_policy import SequentialPolicy
from marl_core.testing import COUPLING_CHECKS, HOST_CHECKS, CouplingCase, HostCase
from marl_core.testing.laws import joint_actions
from marl_core.training.learner import Learner
from tests.support import wide_laws
from tests.support.resuming import interrupted
from tests.support.runs import differences, go_on, outcome, run_data, start

#: Couplings by their names in a config, and with what settings.
WIDE: dict[str, dict[str, Any]] = {
    "latent": {"name": "tests.support.wide_laws:SharedLatent", "values": 3},
    "watchful": {"name": "tests.support.wide_laws:Watchful"},
    "watchful, for an episode": {
        "name": "tests.support.wide_laws:Watchful",
        "holds": "episode",
    },
    "learnt": {"name": "tests.support.wide_laws:Learnt"},
    "queue": {"name": "tests.support.wide_laws:Queue"},
}
#: Games of different lengths with masks and deaths; games with a table of distinct observations.
ENVIRONMENTS: dict[str, dict[str, Any]] = {
    "practice": {"name": "marl_core.testing.practice:Practice"},
    "fme": {"name": "fme", "agents": 5, "tag": "1A1B1C"},
}


@pytest.mark.parametrize("coupling", ["SharedLatent", "Watchful", "Learnt", "Queue"])
@pytest.mark.parametrize("check", COUPLING_CHECKS)
def test_wide_laws_keep_the_rules(check: str, coupling: str) -> None:
    made = getattr(wide_laws, coupling)
    COUPLING_CHECKS[check](CouplingCase(partial(made, made.Config())))


@pytest.mark.parametrize("check", HOST_CHECKS)
def test_a_host_with_a_latent_variable_keeps_the_rules(check: str) -> None:
    make = partial(wide_laws.LatentHost, wide_laws.LatentHostConfig())
    HOST_CHECKS[check](HostCase(make))


def test_marginals_of_a_queue_by_hand() -> None:
    """Two agents that like their actions in the same order draw alike as far as they can."""
    policies = torch.tensor([[[0.5, 0.5], [0.25, 0.75]]]).expand(4, 2, 2)
    weights = torch.tensor([0.0, 1.0])
    law = SequentialPolicy(policies, weights, wide_laws.QueueLaw(policies))
    in_queue = torch.ones(4, dtype=torch.int64)
    probability = law.log_probability(joint_actions(2, 2), in_queue).exp()
    assert probability.tolist() == pytest.approx([0.25, 0.25, 0.0, 0.5])


# Training


def _data(name: str, environment: str = "practice", **training: Any) -> dict[str, Any]:
    data = run_data(updates=(4, 3), **training)
    data["environment"] = ENVIRONMENTS[environment]
    data["exploration"] = {"name": "entropy_sampling"}
    if name == "latent":
        data["host"] = {"name": "tests.support.wide_laws:LatentHost"}
    for stage in data["stages"]:
        stage["exploration"] = WIDE[name]
    return data


@pytest.mark.parametrize(
    ("environment", "parallel_games"), [("practice", 4), ("fme", None)]
)
@pytest.mark.parametrize("name", WIDE)
def test_wide_laws_train(
    name: str, environment: str, parallel_games: int | None, tmp_path: Path
) -> None:
    data = _data(name, environment, parallel_games=parallel_games)
    folder = start(tmp_path / "run", data)
    go_on(folder)
    assert json.loads(folder.summary.read_text())["updates"] == 7
    rows = read_metrics(folder.metrics)
    coupling = newest_state(folder).exploration.coupling
    shares = [f"coupling/{one}" for one in coupling.component_names]
    logged = [row for row in rows if shares[0] in row]
    assert logged
    for row in logged:
        total = sum(float(row[share]) for share in shares)
        assert total == pytest.approx(1)


def _learnt(folder: Any) -> dict[str, Tensor]:
    """The parameters of the coupling in a run's newest checkpoint."""
    saved = folder.load_checkpoint()["state_dict"]
    return {
        name: value for name, value in saved.items() if name.startswith("coupling.")
    }


def test_learnt_weights_change_and_are_saved(tmp_path: Path) -> None:
    folder = start(tmp_path / "run", _data("learnt"))
    go_on(folder)
    learnt = _learnt(folder)
    assert learnt.keys() == {"coupling.slope", "coupling.bias"}
    assert all(value.any() for value in learnt.values())
    coupling = newest_state(folder).exploration.coupling
    assert isinstance(coupling, wide_laws.Learnt)
    assert torch.equal(coupling.slope, learnt["coupling.slope"])
    assert torch.equal(coupling.bias, learnt["coupling.bias"])


def test_a_latent_variable_is_learnt(tmp_path: Path) -> None:
    data = _data("latent")
    folder = start(tmp_path / "run", data)
    go_on(folder)
    host = newest_state(folder).host
    assert isinstance(host, wide_laws.LatentHost)
    assert host.embedding.shape == (3, host.config.hidden)
    assert host.embedding.requires_grad
    assert (host.embedding != host.embedding[0]).any()


#: In the first stage, and in the second.
CRASHES = [
    (Learner, "training_step", 3, True),
    (Learner, "training_step", 4, True),
]


@pytest.mark.parametrize("name", ["latent", "learnt"])
def test_wide_laws_go_on_exactly(name: str, tmp_path: Path) -> None:
    data = _data(name, parallel_games=4, checkpoint_every=2)
    whole = start(tmp_path / "whole", data)
    go_on(whole)
    folder = interrupted(tmp_path / "interrupted", data, *CRASHES)
    assert differences(outcome(folder), outcome(whole)) == []
    if name == "learnt":
        assert _learnt(folder).keys() == _learnt(whole).keys() != set()
