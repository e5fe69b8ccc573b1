"""The same run in EPyMARL, by its own runner, replay and learner.

EPyMARL is no package: ``EPYMARL`` in the environment names a clone of its repository.
"""

from __future__ import annotations

import logging
import os
import sys
from functools import partial
from importlib import import_module
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, Final, final

import numpy as np
import torch
from ruamel.yaml import YAML
from torch import Tensor

from peer.settings import Comparison, OffPolicy
from peer.watching import Record, Watch

_ID: Final = "PeerTeam-v0"


def run(comparison: Comparison, seed: int, side: str) -> Record:
    """Train, and say what came of it.

    Args:
        comparison: the algorithm and the task.
        seed: of the run.
        side: there is one.
    """
    sources = Path(os.environ["EPYMARL"]) / "src"
    sys.path.insert(0, str(sources))
    # It imports an environment that is not needed here.
    sys.modules.setdefault("smaclite", ModuleType("smaclite"))
    watch = Watch(comparison)
    np.random.seed(seed)  # noqa: NPY002 -- EPyMARL draws from this one
    torch.manual_seed(seed)
    _register(comparison)
    learners = import_module("learners").REGISTRY
    learners["q_learner"] = partial(_learner, learners["q_learner"], watch)
    arguments = SimpleNamespace(**_arguments(comparison, sources, seed))
    console = logging.getLogger("epymarl")
    logger = import_module("utils.logging").Logger(console)
    import_module("run").run_sequential(arguments, logger)
    return watch.record


def _learner(made: Any, watch: Watch, mac: Any, *rest: Any) -> Any:
    """EPyMARL's learner, whose updates are told."""
    learner = made(mac, *rest)
    watch.begin(_Scores(mac))
    train = learner.train

    def told(*batch: Any) -> None:
        train(*batch)
        watch.updated(_Scores(mac))

    learner.train = told
    return learner


def _arguments(comparison: Comparison, sources: Path, seed: int) -> dict[str, Any]:
    settings = comparison.settings
    assert isinstance(settings, OffPolicy)
    assert settings.games == settings.steps == 1, "as EPyMARL's runner does it"
    steps = comparison.task.steps
    arguments: dict[str, Any] = {}
    algorithm = f"algs/{comparison.algorithm.lower()}"
    for name in ("default", "envs/gymma", algorithm):
        text = (sources / "config" / f"{name}.yaml").read_text()
        arguments.update(YAML(typ="safe").load(text))
    games_before = settings.batch_games - 1
    last = (comparison.updates + games_before - 1) * steps
    never = 10 * last
    return arguments | {
        "env_args": {
            "key": _ID,
            "time_limit": steps,
            "pretrained_wrapper": None,
            "seed": seed,
        },
        "common_reward": True,
        "reward_scalarisation": "mean",
        "device": "cpu",
        "use_cuda": False,
        "use_rnn": False,
        "hidden_dim": settings.hidden,
        "mixing_embed_dim": settings.hidden,
        "hypernet_layers": 2,
        "hypernet_embed": settings.hidden,
        "obs_agent_id": False,
        "obs_last_action": False,
        "standardise_rewards": False,
        "standardise_returns": False,
        "double_q": True,
        "gamma": settings.gamma,
        "lr": settings.learning_rate,
        "grad_norm_clip": settings.max_gradient_norm,
        "batch_size": settings.batch_games,
        "buffer_size": settings.replay_games,
        "target_update_interval_or_tau": settings.target_updates,
        "epsilon_start": settings.first_epsilon,
        "epsilon_finish": settings.last_epsilon,
        "epsilon_anneal_time": int(comparison.frames * settings.exploring),
        "t_max": last,
        "test_nepisode": 1,
        "test_interval": never,
        "log_interval": never,
        "runner_log_interval": never,
        "learner_log_interval": never,
    }


@final
class _Scores:
    def __init__(self, mac: Any) -> None:
        self._agent = mac.agent

    def __call__(self, features: Tensor) -> Tensor:
        hidden = self._agent.init_hidden()
        width = hidden.shape[-1]
        rows = features.flatten(0, 1)
        values, _ = self._agent(rows, hidden.expand(len(rows), width))
        found = values.view(*features.shape[:2], -1)
        assert isinstance(found, torch.Tensor)
        return found


def _register(comparison: Comparison) -> None:
    gymnasium = import_module("gymnasium")
    own = comparison.task.environment
    module = import_module(own["id"].replace(":", "."))
    gymnasium.register(
        _ID,
        entry_point=partial(_team, module.parallel_env, own["kwargs"]),
        disable_env_checker=True,
        order_enforce=False,
    )


def _team(make: Any, keywords: dict[str, Any]) -> Any:
    """A parallel environment of PettingZoo as EPyMARL takes one; its own wrapper knows no mpe2."""
    gymnasium = import_module("gymnasium")
    spaces = gymnasium.spaces

    class Team(gymnasium.Env):  # type: ignore[name-defined]
        def __init__(self) -> None:
            self._game = make(**keywords)
            names = self._game.possible_agents
            self._names = names
            self.n_agents = len(names)
            self.action_space = spaces.Tuple(
                tuple(self._game.action_space(name) for name in names)
            )
            self.observation_space = spaces.Tuple(
                tuple(self._game.observation_space(name) for name in names)
            )

        def reset(self, seed: Any = None, options: Any = None) -> Any:
            seen, _ = self._game.reset(seed=seed)
            return tuple(seen[name] for name in self._names), {}

        def step(self, actions: Any) -> Any:
            chosen = dict(zip(self._names, actions, strict=True))
            seen, reward, over, cut, _ = self._game.step(chosen)
            truncated = all(cut.values())
            # EPyMARL's runner looks for this word to tell a time limit from an end.
            info = {"episode_limit": truncated}
            return (
                tuple(seen[name] for name in self._names),
                [reward[name] for name in self._names],
                all(over.values()),
                truncated,
                info,
            )

    return Team()
