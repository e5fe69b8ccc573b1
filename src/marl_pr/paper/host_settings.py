"""The settings of the three hosts in the paper's experiments."""

from __future__ import annotations

from collections.abc import Mapping

from marl_pr.paper.fixed_settings import LARGE_TEAM
from marl_pr.paper.kernels import attention_kernels
from marl_pr.paper.scale import Scale

#: A part of a run config, as a YAML file gives it.
Settings = Mapping[str, object]

#: Episodes before each update.
_PPO_MA_BATCH = 512
_QMIX_BATCH = 8


def ppo_ma_settings(scale: Scale, agents: int) -> Settings:
    """PPO-MA, as in Table 3, whose values are the defaults.

    The policies of Table 1's teams are recorded for Fig. 1 and the theory. Those of the large team
    are not: each second stage would hold another copy of its first stage's policies.

    Args:
        scale: how much is trained.
        agents: N.
    """
    training = _training(scale, "ppo_ma", _PPO_MA_BATCH)
    return {
        "host": {"name": "ppo_ma"},
        "exploration": {"name": "entropy_sampling", "coefficient": 0.05},
        "training": {**training, "record_policies": agents != LARGE_TEAM},
    }


def qmix_settings(scale: Scale) -> Settings:
    """Fine-tuned QMIX, as in Table 3, whose values are the defaults.

    There are 8 games before each update, as in Hu et al. (2021).

    Args:
        scale: how much is trained.
    """
    exploration = {
        "name": "epsilon_greedy",
        "end": 0.1,
        "anneal_steps": scale.anneal_steps,
    }
    training = {
        **_training(scale, "qmix", _QMIX_BATCH),
        # Updates are short, and there are many.
        "log_every": 64,
        "checkpoint_every": 1024,
    }
    return {
        "host": {"name": "qmix"},
        "exploration": exploration,
        "training": training,
    }


def conc4hist_settings(scale: Scale) -> Settings:
    """Conc4Hist; as in Table 3, whose values are the defaults, but for what the scale says.

    Args:
        scale: how much is trained, and how battles are fought.
    """
    battles = scale.battles
    host = {
        "name": "conc4hist",
        "epochs": battles.epochs,
        "minibatches": battles.minibatches,
        "kernels": attention_kernels() if battles.compiled else "torch",
    }
    training = {
        **_training(scale, "conc4hist", battles.batch),
        "evaluation_episodes": battles.test,
        "checkpoint_every": 10,  # An update takes seconds.
        "accelerator": "auto",
    }
    return {
        "host": host,
        "exploration": {"name": "entropy_sampling", "coefficient": battles.entropy},
        "training": training,
    }


def _training(scale: Scale, host: str, batch: int) -> dict[str, object]:
    lengths = scale.lengths[host]
    updates = lengths.first // batch
    return {
        "episodes_per_update": batch,
        "evaluate_every": max(1, updates // lengths.points),
        "threads": 1,  # The result is then the same on any number of cores.
        "tensorboard": False,
    }
