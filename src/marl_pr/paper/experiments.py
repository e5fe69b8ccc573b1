"""The training runs that the items are made of: their configs, names and labels."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal

from marl_core.base_config import validate_strictly
from marl_core.config.run import RunConfig
from marl_core.reports.labels import Label
from marl_core.sweep import Job
from marl_pr.paper.item import LabelledJob
from marl_pr.paper.scale import Scale

Variant = Literal["pr", "pr_fast"]
Coin = Literal["episode", "step"]

#: The task of Table 1 and of all figures about FME but Fig. 8.
TAG = "1A4B2C"
#: Every task of Table 2 has seven levels, each with an optimal expected reward of 1.
OPTIMUM = 7.0
#: The team in which eta_max, p_min and the variants are compared: N = 30, as printed in Fig. 9.
LARGE_TEAM = 30
ETA_MAX, P_MIN = 0.75, 0.2
#: The same for ADCA: a round number below the paper's bound, 1/n_k of seven actions.
BATTLE_P_MIN = 0.1

PPO_MA, QMIX, CONC4HIST = "PPO-MA", "QMIX", "Conc4Hist"
PPO_MA_PR, PPO_MA_PR_FAST, QMIX_PR = "PPO-MA + PR", "PPO-MA + PR-Fast", "QMIX + PR"
#: QMIX trained as long as with resonance, but without it.
QMIX_LONGER = "QMIX, as long"
CONC4HIST_PR, CONC4HIST_PR_FAST, CONC4HIST_LONGER = (
    "Conc4Hist + PR",
    "Conc4Hist + PR-Fast",
    "Conc4Hist, as long",
)
_WITH: dict[str, str] = {"pr": "PR", "pr_fast": "PR-Fast"}


def ppo_ma_settings(scale: Scale, agents: int) -> dict[str, Any]:
    """PPO-MA: Table 3, which the defaults follow.

    The policies of Table 1's teams are kept for Fig. 1 and the theory; a sweep over the large team would only copy its
    own from run to run.
    """
    batch = 512
    return {
        "host": {"name": "ppo_ma"},
        "exploration": {"name": "entropy_sampling", "coefficient": 0.05},
        "training": {
            **_training(scale, "ppo_ma", batch),
            "record_policies": agents != LARGE_TEAM,
        },
    }


def qmix_settings(scale: Scale) -> dict[str, Any]:
    """Fine-tuned QMIX: Table 3, which the defaults follow; 8 games before each update, as Hu et al. (2021).

    Agents see the level as one-hot. From the one number that PPO-MA gets, a feed-forward network hardly tells
    neighbouring levels apart; that of Hu et al. is recurrent, so that agents can count.
    """
    batch = 8
    rare = {"log_every": 64, "checkpoint_every": 1024}  # updates are short and many
    return {
        "host": {"name": "qmix"},
        "exploration": {
            "name": "epsilon_greedy",
            "end": 0.1,
            "anneal_steps": scale.anneal_steps,
        },
        "training": {**_training(scale, "qmix", batch), **rare},
    }


def conc4hist_settings(scale: Scale) -> dict[str, Any]:
    """Conc4Hist: Table 3, which the defaults follow, where battles are the paper's."""
    battles = scale.battles
    training = {
        **_training(scale, "conc4hist", battles.batch),
        "parallel_games": battles.parallel,
        "evaluation_episodes": battles.test,
        "checkpoint_every": 8,  # updates take seconds
        "accelerator": "auto",
    }
    return {
        "host": {
            "name": "conc4hist",
            "epochs": battles.epochs,
            "minibatches": battles.minibatches,
        },
        "exploration": {"name": "entropy_sampling", "coefficient": battles.entropy},
        "training": training,
    }


def ppo_ma(scale: Scale, agents: int, seed: int, tag: str = TAG) -> LabelledJob:
    """PPO-MA without resonance."""
    environment = {"name": "fme", "agents": agents, "tag": tag}
    return _first_stage(
        PPO_MA, environment, tag, ppo_ma_settings(scale, agents), scale, seed
    )


def qmix(scale: Scale, agents: int, seed: int, tag: str = TAG) -> LabelledJob:
    """Fine-tuned QMIX without resonance."""
    environment = {
        "name": "fme",
        "agents": agents,
        "tag": tag,
        "level_index": "one_hot",
    }
    return _first_stage(QMIX, environment, tag, qmix_settings(scale), scale, seed)


def conc4hist(scale: Scale, enemies: int, seed: int) -> LabelledJob:
    """Conc4Hist without resonance, against so many attackers for every hundred guards."""
    battles = scale.battles
    attackers = battles.agents * enemies // 100
    size = {
        "agents": battles.agents,
        "attackers": attackers,
        "max_steps": battles.max_steps,
    }
    task = f"{battles.agents}v{attackers}"
    job = _first_stage(
        CONC4HIST,
        {"name": "adca", **size},
        task,
        conc4hist_settings(scale),
        scale,
        seed,
    )
    return LabelledJob(job.job, {**job.labels, "enemies": enemies})


def resonant(
    plain: LabelledJob,
    scale: Scale,
    variant: Variant,
    *,
    eta_max: float = ETA_MAX,
    p_min: float | None = None,
    coin: Coin = "episode",
) -> LabelledJob:
    """``plain`` and then a second stage in resonance (Section 6.1)."""
    host = plain.job.config.host.name
    if p_min is None:
        p_min = BATTLE_P_MIN if host == "conc4hist" else P_MIN
    exploration = {
        "name": "policy_resonance",
        "variant": variant,
        "eta_max": eta_max,
        "ramp_episodes": scale.lengths[host].ramp,
        "p_min": p_min,
        "level": coin,
    }
    prefix = "_".join(
        [
            *([] if host == "ppo_ma" else [host]),
            variant,
            *([] if coin == "episode" else [coin]),
        ]
    )
    labels = {
        **plain.labels,
        "algorithm": f"{plain.labels['algorithm']} + {_WITH[variant]}",
        "eta_max": eta_max,
        "p_min": p_min,
        "coin": coin,
    }
    return _second_stage(
        plain,
        prefix,
        f"-eta{eta_max:g}-pmin{p_min:g}",
        labels,
        scale,
        {"exploration": exploration},
    )


def longer(plain: LabelledJob, scale: Scale) -> LabelledJob:
    """``plain`` and then a second stage just like the first: what resonance is to be compared with."""
    labels = {**plain.labels, "algorithm": f"{plain.labels['algorithm']}, as long"}
    return _second_stage(
        plain, f"{plain.job.config.host.name}_longer", "", labels, scale, {}
    )


def unique(jobs: Iterable[LabelledJob]) -> list[LabelledJob]:
    """The jobs without those that come again."""
    return list({one.job.name: one for one in jobs}.values())


def _first_stage(
    algorithm: str,
    environment: Mapping[str, Any],
    task: str,
    settings: Mapping[str, Any],
    scale: Scale,
    seed: int,
) -> LabelledJob:
    host = settings["host"]["name"]
    config = {
        "seed": seed,
        "environment": environment,
        **settings,
        "stages": [{"episodes": scale.lengths[host].first}],
    }
    labels: dict[str, Label] = {
        "task": task,
        "algorithm": algorithm,
        "agents": environment["agents"],
    }
    return LabelledJob(
        Job(_name(host, labels, "", seed), validate_strictly(RunConfig, config), None),
        labels,
    )


def _second_stage(
    plain: LabelledJob,
    prefix: str,
    settings: str,
    labels: Mapping[str, Label],
    scale: Scale,
    stage: Mapping[str, Any],
) -> LabelledJob:
    first = plain.job.config.model_dump(mode="json")
    stages = [
        *first["stages"],
        {"episodes": scale.lengths[first["host"]["name"]].second, **stage},
    ]
    config = validate_strictly(RunConfig, {**first, "stages": stages})
    return LabelledJob(
        Job(_name(prefix, labels, settings, config.seed), config, plain.job.name),
        labels,
    )


def _name(prefix: str, labels: Mapping[str, Label], settings: str, seed: int) -> str:
    return f"{prefix}-{labels['task']}-N{labels['agents']}{settings}-seed{seed}"


def _training(scale: Scale, host: str, batch: int) -> dict[str, Any]:
    lengths = scale.lengths[host]
    return {
        "episodes_per_update": batch,
        "evaluate_every": max(1, lengths.first // batch // lengths.points),
        "threads": 1,  # the same result on any number of cores
        "tensorboard": False,
    }
