"""Multi-agent reinforcement learning for large teams: the front door.

Usage::

    from marl_core import load, train

    run = train("examples/fme_pr.yaml", set={"seed": 1}, out="runs/a")
    print(run.summary["return"].exact)
    print(run.metrics()["exact/return"])

    policy = load("runs/a").policy(mode="greedy")
    env = policy.make_environment(games=4, seed=0)
    obs = env.reset()
    while not env.all_done:
        obs, reward, done = env.step(policy(obs))

    longer = load("runs/a").extend(stages=[{"episodes": 4096}], out="runs/b")

What is behind these names is imported at their first use, so that importing the package is quick.
The kernel knows no environment and no paper: those are packages of their own.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from marl_core.api.games import Games
    from marl_core.api.metrics_table import MetricsTable
    from marl_core.api.policy import Policy
    from marl_core.api.run import Run, load
    from marl_core.api.summary import Scores, Summary
    from marl_core.api.training import train
    from marl_core.config.run import RunConfig
    from marl_core.errors import UserError
    from marl_core.exploration.coupled import CoupledExploration
    from marl_core.protocols import (
        Coupling,
        Environment,
        ExplorationStrategy,
        HostAlgorithm,
        IndividualPolicy,
    )
    from marl_core.runs.transfer import Transferred

    #: The version of the installed package; ``pyproject.toml`` has it.
    __version__: str

__all__ = [
    "CoupledExploration",
    "Coupling",
    "Environment",
    "ExplorationStrategy",
    "Games",
    "HostAlgorithm",
    "IndividualPolicy",
    "MetricsTable",
    "Policy",
    "Run",
    "RunConfig",
    "Scores",
    "Summary",
    "Transferred",
    "UserError",
    "load",
    "train",
]

#: The module of each name.
_MODULES = {
    "CoupledExploration": "marl_core.exploration.coupled",
    "Coupling": "marl_core.protocols",
    "Environment": "marl_core.protocols",
    "ExplorationStrategy": "marl_core.protocols",
    "Games": "marl_core.api.games",
    "HostAlgorithm": "marl_core.protocols",
    "IndividualPolicy": "marl_core.protocols",
    "MetricsTable": "marl_core.api.metrics_table",
    "Policy": "marl_core.api.policy",
    "Run": "marl_core.api.run",
    "RunConfig": "marl_core.config.run",
    "Scores": "marl_core.api.summary",
    "Summary": "marl_core.api.summary",
    "Transferred": "marl_core.runs.transfer",
    "UserError": "marl_core.errors",
    "load": "marl_core.api.run",
    "train": "marl_core.api.training",
}


def __getattr__(name: str) -> object:
    """Import what a name stands for, at its first use."""
    if name == "__version__":
        from importlib.metadata import version

        return version("policy-resonance")
    if name not in _MODULES:
        raise AttributeError(f"module 'marl_core' has no attribute '{name}'")
    found: object = getattr(import_module(_MODULES[name]), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__, "__version__"])
