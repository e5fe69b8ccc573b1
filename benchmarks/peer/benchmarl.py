"""The same run in BenchMARL, whose networks, losses and collectors are TorchRL's."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, replace
from importlib import import_module
from typing import Any, Final, final

import torch
from torch import Tensor, nn

from peer.settings import Comparison, OffPolicy, OnPolicy
from peer.watching import Record, Watch

#: The team, as BenchMARL names it in VMAS.
_TEAM: Final = "agents"


def run(comparison: Comparison, seed: int, side: str) -> Record:
    """Train, and say what came of it.

    Args:
        comparison: the algorithm and the task.
        seed: of the run.
        side: there is one.
    """
    watch = Watch(comparison)
    with tempfile.TemporaryDirectory() as folder:
        experiment = import_module("benchmarl.experiment").Experiment(
            task=_task(comparison),
            algorithm_config=_algorithm(comparison),
            model_config=_network(comparison.settings.hidden),
            critic_model_config=_network(comparison.settings.hidden),
            seed=seed,
            config=_experiment(comparison, folder),
        )
        if isinstance(comparison.settings, OnPolicy):
            # TorchRL's loss can do it, BenchMARL has no setting for it.
            experiment.losses[_TEAM].normalize_advantage = True
        # Not given at once, because BenchMARL pickles what it is given.
        experiment.callbacks.append(_watching(watch, experiment))
        watch.begin(_Scores(experiment))
        experiment.run()
    return watch.record


def _task(comparison: Comparison) -> Any:
    """The scenario, with games that are truncated at their last step, and not terminated."""
    found = import_module("benchmarl.environments").VmasTask
    own = comparison.task.environment
    task = getattr(found, own["id"].upper()).get_task({**own["kwargs"]})
    steps = comparison.task.steps
    transform = import_module("torchrl.envs.transforms").StepCounter
    # BenchMARL pickles the task, so a class that is made here could not be one.
    task.get_env_transforms = _Truncating(transform, steps)
    task.max_steps = _Says(steps)
    return task


@final
@dataclass(frozen=True)
class _Truncating:
    """Ends games at their last step."""

    transform: Any
    steps: int

    def __call__(self, environment: Any) -> list[Any]:
        return [self.transform(max_steps=self.steps)]


@final
@dataclass(frozen=True)
class _Says:
    """Says how long games last."""

    steps: int

    def __call__(self, environment: Any) -> int:
        return self.steps


def _network(hidden: int) -> Any:
    return import_module("benchmarl.models").MlpConfig(
        num_cells=[hidden, hidden],
        layer_class=nn.Linear,
        activation_class=nn.ReLU,
    )


def _algorithm(comparison: Comparison) -> Any:
    name = comparison.algorithm.capitalize()
    found = getattr(import_module("benchmarl.algorithms"), f"{name}Config")
    defaults = found.get_from_yaml()
    settings = comparison.settings
    if isinstance(settings, OnPolicy):
        return replace(
            defaults,
            share_param_critic=True,
            clip_epsilon=settings.clip,
            entropy_coef=settings.entropy,
            critic_coef=settings.value_coefficient,
            loss_critic_type="l2",
            lmbda=settings.gae_lambda,
        )
    changes: dict[str, Any] = {"delay_value": True, "loss_function": "l2"}
    if comparison.algorithm == "QMIX":
        changes["mixing_embed_dim"] = settings.hidden
    return replace(defaults, **changes)


def _experiment(comparison: Comparison, folder: str) -> Any:
    settings = comparison.settings
    per_update = settings.games * comparison.task.steps
    if isinstance(settings, OnPolicy):
        own = {
            "on_policy_collected_frames_per_batch": per_update,
            "on_policy_n_envs_per_worker": settings.games,
            "on_policy_n_minibatch_iters": settings.epochs,
            "on_policy_minibatch_size": per_update // settings.minibatches,
        }
    else:
        own = _replay(settings, comparison)
    config = import_module("benchmarl.experiment").ExperimentConfig.get_from_yaml()
    return replace(
        config,
        prefer_continuous_actions=False,
        share_policy_params=True,
        gamma=settings.gamma,
        lr=settings.learning_rate,
        adam_eps=1e-8,
        clip_grad_norm=True,
        clip_grad_val=settings.max_gradient_norm,
        max_n_frames=comparison.frames,
        evaluation=False,
        render=False,
        loggers=[],
        create_json=False,
        save_folder=folder,
        **own,
    )


def _replay(settings: OffPolicy, comparison: Comparison) -> dict[str, Any]:
    steps = comparison.task.steps
    return {
        "off_policy_collected_frames_per_batch": settings.games * steps,
        "off_policy_n_envs_per_worker": settings.games,
        "off_policy_n_optimizer_steps": settings.steps,
        "off_policy_train_batch_size": settings.batch_games * steps,
        "off_policy_memory_size": settings.replay_games * steps,
        "off_policy_init_random_frames": 0,
        "off_policy_use_prioritized_replay_buffer": False,
        "soft_target_update": False,
        "hard_target_update_frequency": settings.target_updates * settings.steps,
        "exploration_eps_init": settings.first_epsilon,
        "exploration_eps_end": settings.last_epsilon,
        "exploration_anneal_frames": int(comparison.frames * settings.exploring),
    }


def _watching(watch: Watch, experiment: Any) -> Any:
    base = import_module("benchmarl.experiment").Callback

    class Watching(base):  # type: ignore[misc, valid-type]
        def on_train_end(self, training_td: Any, group: str) -> None:
            watch.updated(_Scores(experiment))

    return Watching()


@final
class _Scores:
    def __init__(self, experiment: Any) -> None:
        self._policy = experiment.algorithm.get_policy_for_loss(_TEAM)

    def __call__(self, features: Tensor) -> Tensor:
        made = import_module("tensordict").TensorDict
        games, agents = features.shape[:2]
        team = made({"observation": features}, [games, agents])
        said = self._policy(made({_TEAM: team}, [games]))[_TEAM]
        key = "logits" if "logits" in said.keys() else "action_value"  # noqa: SIM118
        found = said[key]
        assert isinstance(found, torch.Tensor)
        return found
