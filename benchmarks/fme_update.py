"""How long an update of PPO-MA on FME takes, where the time goes, and a plain twin beside it.

    python benchmarks/fme_update.py [--agents 40] [--stage 1|2] [--no-table] [--peer] [--device cpu]

An update is what a run does: 512 episodes of 1A4B2C played, advantages, 24 epochs over the batch,
through the LightningModule and Trainer, logging included. ``--peer`` times, in the same process,
the same update written in plain PyTorch (``plain_ppo.py``: a network evaluation for every sample,
autograd, ``torch.optim.Adam``) on the very rollout of ours, from the same weights, and asserts that
both end with the same weights: same work, same result.

What was learnt (two CPU cores, N = 40; docs/results/speed.md has the figures):

- The networks are so small that the time of an epoch depends on how many operations it has, not on
  their size. Functions with hand-written gradients saved nothing over autograd; ``torch.compile``
  of loss and gradient together saves half, once its guards are cut down to the arguments and the
  parameters come as one vector for each group.
- log_softmax over a short last axis is not vectorised: with the actions first it is ten times as
  fast.
- Adam and clipping on one vector for each group cost a fifth of what they cost on two dozen
  tensors.
- Index arithmetic on all samples is bound by fresh memory: done in place it is four times as fast.
"""

from __future__ import annotations

import argparse
import json
import resource
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from marl_core.config.run import RunConfig
from marl_core.hosts.ppo.ppo_ma import PPOMA
from marl_core.joint_policy import TableSampler
from marl_core.runs.folder import RunFolder
from marl_core.training.games import RankGames
from marl_core.training.learner import Learner
from marl_core.training.stages import train
from marl_core.training.watchers import Watchers
from marl_envs.fme import FME
from plain_ppo import compare


class Stopwatch:
    """Adds up the time spent in methods, by a name for each."""

    def __init__(self, device: str) -> None:
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self.calls: defaultdict[str, list[float]] = defaultdict(list)
        self._synchronise: Callable[[], None] = (
            torch.cuda.synchronize if device != "cpu" else lambda: None
        )

    def watch(self, owner: type, method: str, name: str) -> None:
        """Time every call of ``owner.method`` from now on."""
        original = getattr(owner, method)

        def timed(*args: Any, **kwargs: Any) -> Any:
            self._synchronise()
            started = time.perf_counter()
            try:
                return original(*args, **kwargs)
            finally:
                self._synchronise()
                self.seconds[name] += time.perf_counter() - started
                self.calls[name].append(time.perf_counter() - started)

        setattr(owner, method, timed)


def run_config(arguments: argparse.Namespace) -> RunConfig:
    """The config of the measured run: warm-up updates, then the measured ones."""
    updates = arguments.warm_up + arguments.updates
    plain = {"name": "entropy_sampling"}
    resonance = {
        "name": "policy_resonance",
        "variant": "pr_fast",
        "ramp_episodes": 0,
        "individual": plain,
    }
    return RunConfig.model_validate(
        {
            "environment": {"name": "fme", "agents": arguments.agents, "tag": "1A4B2C"},
            # Never fewer than all 24 epochs.
            "host": {"name": "ppo_ma", "min_inside_clip": 0.0},
            "exploration": plain if arguments.stage == 1 else resonance,
            "stages": [{"episodes": updates * arguments.episodes}],
            "training": {
                "episodes_per_update": arguments.episodes,
                "use_table": not arguments.no_table,
                "threads": arguments.threads,
                "compile": arguments.compile,
                "accelerator": "cpu" if arguments.device == "cpu" else "gpu",
                "evaluate_every": updates + 1,
                "checkpoint_every": updates + 1,
            },
        }
    )


def measure(arguments: argparse.Namespace) -> dict[str, Any]:
    """Seconds of an update and of its parts, and the memory of the process."""
    watch = Stopwatch(arguments.device)
    for owner, method, name in (
        (Learner, "training_step", "update"),
        (FME, "step", "environment"),
        (FME, "reset", "environment"),
        (TableSampler, "draw", "sampling"),
        (RankGames, "collect", "collection"),
        (PPOMA, "_prepare", "advantages"),
        (Learner, "learn", "learning"),
    ):
        watch.watch(owner, method, name)
    config = run_config(arguments)
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        run = RunFolder(Path(folder))
        run.create(config)
        train(config, run, Watchers(progress_bar=False))
    whole = time.perf_counter() - started
    updates = sorted(watch.calls["update"][arguments.warm_up :])
    count = len(watch.calls["update"])
    seconds = watch.seconds
    return {
        "median_seconds": updates[len(updates) // 2],
        "mean_seconds_with_trainer": whole / count,
        "split": {
            "environment": seconds["environment"] / count,
            "sampling": seconds["sampling"] / count,
            "rest of collection": (
                seconds["collection"] - seconds["environment"] - seconds["sampling"]
            )
            / count,
            "advantages": seconds["advantages"] / count,
            "epochs": (seconds["learning"] - seconds["advantages"]) / count,
            "logging": (seconds["update"] - seconds["collection"] - seconds["learning"])
            / count,
        },
        "peak_memory_gb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20,
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--agents", type=int, default=40)
    parser.add_argument("--episodes", type=int, default=512)
    parser.add_argument("--updates", type=int, default=100)
    parser.add_argument("--warm-up", type=int, default=10)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument(
        "--stage",
        type=int,
        choices=(1, 2),
        default=1,
        help="2: with resonance, PR-Fast",
    )
    parser.add_argument(
        "--no-table", action="store_true", help="evaluate networks on every sample"
    )
    parser.add_argument("--compile", action="store_true", help="training.compile")
    parser.add_argument("--device", default="cpu")
    parser.add_argument(
        "--peer", action="store_true", help="also time the plain implementation"
    )
    arguments = parser.parse_args()
    result = measure(arguments)
    if arguments.peer:
        result["peer"] = compare(run_config(arguments), result["median_seconds"])
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
