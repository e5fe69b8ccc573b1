"""The training runs without resonance, which other runs continue: configs, names and labels."""

from __future__ import annotations

from dataclasses import dataclass

from marl_core.base_config import validate_strictly
from marl_core.config.run import RunConfig
from marl_core.reports.labels import Label
from marl_core.sweep import Job
from marl_pr.paper.algorithms import CONC4HIST, PPO_MA, QMIX
from marl_pr.paper.fixed_settings import TAG
from marl_pr.paper.host_settings import (
    Settings,
    conc4hist_settings,
    ppo_ma_settings,
    qmix_settings,
)
from marl_pr.paper.kernels import battle_kernels
from marl_pr.paper.labelled_job import LabelledJob, run_name
from marl_pr.paper.scale import Scale


@dataclass(frozen=True)
class _Task:
    """What a team is trained on: its label, the environment's settings, and N."""

    name: str
    environment: Settings
    agents: int


def ppo_ma(scale: Scale, agents: int, seed: int, tag: str = TAG) -> LabelledJob:
    """PPO-MA in FME without resonance.

    Args:
        scale: how much is trained.
        agents: N.
        seed: of the run.
        tag: the task of Table 2.
    """
    task = _Task(tag, {"name": "fme", "agents": agents, "tag": tag}, agents)
    settings = ppo_ma_settings(scale, agents)
    return _first_stage("ppo_ma", PPO_MA, task, settings, scale, seed)


def qmix(scale: Scale, agents: int, seed: int, tag: str = TAG) -> LabelledJob:
    """Fine-tuned QMIX in FME without resonance.

    Agents see the level as one-hot. From the one number that PPO-MA gets, a feed-forward network
    hardly tells neighbouring levels apart; the network of Hu et al. is recurrent, so that agents
    can count.

    Args:
        scale: how much is trained.
        agents: N.
        seed: of the run.
        tag: the task of Table 2.
    """
    environment = {
        "name": "fme",
        "agents": agents,
        "tag": tag,
        "level_index": "one_hot",
    }
    task = _Task(tag, environment, agents)
    return _first_stage("qmix", QMIX, task, qmix_settings(scale), scale, seed)


def conc4hist(scale: Scale, enemies: int, seed: int) -> LabelledJob:
    """Conc4Hist in ADCA without resonance.

    Args:
        scale: how much is trained, and how battles are fought.
        enemies: attackers for every hundred guards.
        seed: of the run.
    """
    guards = scale.battles.agents
    attackers = guards * enemies // 100
    environment = {
        "name": "adca",
        "agents": guards,
        "attackers": attackers,
        "max_steps": scale.battles.max_steps,
        "kernels": battle_kernels() if scale.battles.compiled else "torch",
    }
    task = _Task(f"{guards}v{attackers}", environment, guards)
    settings = conc4hist_settings(scale)
    job = _first_stage("conc4hist", CONC4HIST, task, settings, scale, seed)
    return LabelledJob(job.job, {**job.labels, "enemies": enemies})


def _first_stage(
    host: str,
    algorithm: str,
    task: _Task,
    settings: Settings,
    scale: Scale,
    seed: int,
) -> LabelledJob:
    stage = {"episodes": scale.lengths[host].first}
    described = {
        "seed": seed,
        "environment": task.environment,
        **settings,
        "stages": [stage],
    }
    labels: dict[str, Label] = {
        "task": task.name,
        "algorithm": algorithm,
        "agents": task.agents,
    }
    config = validate_strictly(RunConfig, described)
    return LabelledJob(Job(run_name(host, labels, seed), config, None), labels)
