"""How long an update of QMIX on FME takes, and how TorchRL's QMixer and QMixerLoss compare.

    python benchmarks/qmix_update.py [--agents 8] [--peer] [--compile]

An update is what Table 3 says: TD(lambda) targets, loss, gradient, clipping and Adam on 64 episodes
of 1A4B2C. It is timed on one batch in memory, for both. ``--peer`` (needs ``pip install torchrl``)
times TorchRL in the same process on the same batch from the same weights, and asserts that the loss
is the same. It is also timed without the table of distinct observations, as any environment without
one would run it; and in a whole run, where an iteration also plays 8 games, draws from the replay
and logs.

What was learnt (one thread; docs/results/speed.md has the figures):

- Copying mixing weights ``[N, H]`` for each of 448 samples was the dearest step, its gradient above
  all. In few states it is twice as fast to multiply by the weights of all of them and to pick the
  row.
- Values on the table of distinct observations serve the loss and, detached, the choice of the best
  joint action.
- TD(lambda) is one fused operation a step once what does not depend on the step after it is
  outside of the loop.
- ``torch.compile`` (``--compile``) halves an update again, after half a minute the first time.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path
from typing import Any

import torch

from extras import need
from marl_core.collection.collector import Collector
from marl_core.config.run import RunConfig
from marl_core.construction import build_environment
from marl_core.hosts.qmix.qmix import QMIX
from marl_core.learning import LearningContext
from marl_core.observation_table import without_table
from marl_core.rng import Generators
from marl_core.runs.assembly import first_state
from marl_core.runs.folder import RunFolder
from marl_core.training.compiled import CompiledLoss
from marl_core.training.optimizer import FlatAdam
from marl_core.training.stages import train
from marl_core.training.watchers import Watchers
from marl_core.types import Rollout
from torchrl_qmix import TorchRLUpdate, timed


def run_config(agents: int, updates: int, compiled: bool) -> RunConfig:
    """A run of that many updates."""
    return RunConfig.model_validate(
        {
            "environment": {"name": "fme", "agents": agents, "tag": "1A4B2C"},
            "host": {"name": "qmix"},
            "exploration": {"name": "epsilon_greedy"},
            "stages": [{"episodes": 8 * updates}],
            "training": {
                "episodes_per_update": 8,
                "evaluate_every": updates + 1,
                "checkpoint_every": updates + 1,
                "log_every": 64,
                "threads": torch.get_num_threads(),
                "compile": compiled,
                "tensorboard": False,
            },
        }
    )


def our_update(config: RunConfig, rollout: Rollout, compiled: bool) -> Any:
    """An update of ours on a batch, as the LightningModule makes it."""
    state = first_state(config)
    host = state.host
    assert isinstance(host, QMIX)
    optimizer = FlatAdam(host.parameter_groups())
    context = LearningContext()
    if compiled:
        context = LearningContext(evaluate=CompiledLoss(host, optimizer))
    policy = state.exploration.individual

    def update() -> float:
        (loss,) = list(host.losses(rollout, policy, context))
        gradients = loss.gradients
        if gradients is None:
            gradients = optimizer.gradients_of(loss.total)
        optimizer.set_gradients(gradients)
        optimizer.step()
        return float(loss.total.detach())

    return update


def batch_of(config: RunConfig) -> tuple[QMIX, Rollout]:
    """A host as it is at the start, and 64 episodes of random play."""
    state = first_state(config)
    host = state.host
    assert isinstance(host, QMIX)
    streams = Generators(config.seed, 0, "cpu")
    environment = build_environment(
        config.environment,
        games=64,
        device="cpu",
        generator=streams["environment"],
    )
    collector = Collector(environment, streams["exploration"])
    return host, collector.collect(host, state.exploration, state.progress)


def iteration_seconds(config: RunConfig, updates: int) -> float:
    """Seconds of an iteration in a whole run."""
    with tempfile.TemporaryDirectory() as path:
        folder = RunFolder(Path(path))
        folder.create(config)
        started = time.perf_counter()
        train(config, folder, Watchers(progress_bar=False))
        return (time.perf_counter() - started) / updates


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--agents", type=int, default=8)
    parser.add_argument("--updates", type=int, default=1000)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--compile", action="store_true", help="training.compile")
    parser.add_argument("--peer", action="store_true", help="also time TorchRL")
    arguments = parser.parse_args()
    if arguments.peer:
        need("torchrl", "pip install torchrl")
    torch.set_num_threads(arguments.threads)
    config = run_config(arguments.agents, arguments.updates, arguments.compile)
    host, rollout = batch_of(config)
    first, seconds = timed(
        our_update(config, rollout, arguments.compile), arguments.updates
    )
    _, written = timed(
        our_update(config, without_table(rollout), arguments.compile), arguments.updates
    )
    result: dict[str, Any] = {
        "update_seconds": seconds,
        "updates_per_second": 1 / seconds,
        "update_seconds_without_table": written,
        "iteration_seconds": iteration_seconds(config, arguments.updates),
    }
    if arguments.peer:
        theirs, peer = timed(TorchRLUpdate(host, rollout), arguments.updates)
        assert abs(theirs - first) < 1e-4 * first, (
            f"the losses are not the same: {first} and {theirs}"
        )
        result["torchrl"] = {
            "update_seconds": peer,
            "times as long as ours": peer / seconds,
            "times as long as ours without table": peer / written,
            "difference of the first loss": abs(theirs - first),
        }
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
