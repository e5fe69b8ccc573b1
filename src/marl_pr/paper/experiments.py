"""The training runs that the items are made of: their configs, names and labels."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from marl_core.base_config import validate_strictly
from marl_core.config.run import RunConfig
from marl_core.reports.labels import Label
from marl_core.sweep import Job
from marl_pr.paper.algorithms import (
    CONC4HIST,
    PPO_MA,
    QMIX,
    Variant,
    as_long,
    with_resonance,
)
from marl_pr.paper.fixed_settings import BATTLE_P_MIN, ETA_MAX, P_MIN, TAG
from marl_pr.paper.host_settings import (
    Settings,
    conc4hist_settings,
    ppo_ma_settings,
    qmix_settings,
)
from marl_pr.paper.item import LabelledJob
from marl_pr.paper.scale import Scale

#: How long the team's coin holds.
Coin = Literal["episode", "step"]


@dataclass(frozen=True)
class _Task:
    """What a team is trained on: its label, the environment's settings, and N."""

    name: str
    environment: Settings
    agents: int


@dataclass(frozen=True)
class _Resonance:
    """The settings of a second stage in resonance."""

    variant: Variant
    eta_max: float
    p_min: float
    coin: Coin

    def exploration(self, ramp: int) -> Settings:
        """The exploration in a run config; ``ramp`` is M_pr in episodes."""
        return {
            "name": "policy_resonance",
            "variant": self.variant,
            "eta_max": self.eta_max,
            "ramp_episodes": ramp,
            "p_min": self.p_min,
            "level": self.coin,
        }

    def labels(self) -> dict[str, Label]:
        """The labels of a run, except for its algorithm."""
        return {"eta_max": self.eta_max, "p_min": self.p_min, "coin": self.coin}

    def prefix(self, host: str) -> str:
        """What the name of a run begins with: only what is not usual is named."""
        words: list[str] = []
        if host != "ppo_ma":
            words.append(host)
        words.append(self.variant)
        if self.coin != "episode":
            words.append(self.coin)
        return "_".join(words)


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
    }
    task = _Task(f"{guards}v{attackers}", environment, guards)
    settings = conc4hist_settings(scale)
    job = _first_stage("conc4hist", CONC4HIST, task, settings, scale, seed)
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
    """A run that continues another one with a second stage in resonance (Section 6.1).

    Args:
        plain: the run to continue.
        scale: how much is trained.
        variant: PR or PR-Fast.
        eta_max: resonance probability after its ramp.
        p_min: of Eq. 18; None is 0.1 for Conc4Hist and 0.2 for the other hosts.
        coin: how long the team's coin holds.
    """
    config = plain.job.config
    if p_min is None:
        p_min = BATTLE_P_MIN if config.host.name == "conc4hist" else P_MIN
    resonance = _Resonance(variant, eta_max, p_min, coin)
    labels = {
        **plain.labels,
        "algorithm": with_resonance(str(plain.labels["algorithm"]), variant),
        **resonance.labels(),
    }
    prefix = resonance.prefix(config.host.name)
    name = _name(prefix, labels, config.seed, f"-eta{eta_max:g}-pmin{p_min:g}")
    exploration = resonance.exploration(scale.lengths[config.host.name].ramp)
    return _second_stage(plain, name, labels, scale, {"exploration": exploration})


def longer(plain: LabelledJob, scale: Scale) -> LabelledJob:
    """A run that continues another one with a second stage without resonance.

    Runs in resonance are to be compared with this one, because it is trained for as long.

    Args:
        plain: the run to continue.
        scale: how much is trained.
    """
    config = plain.job.config
    labels = {**plain.labels, "algorithm": as_long(str(plain.labels["algorithm"]))}
    name = _name(f"{config.host.name}_longer", labels, config.seed)
    return _second_stage(plain, name, labels, scale, {})


def both_variants(plain: Iterable[LabelledJob], scale: Scale) -> list[LabelledJob]:
    """All of several runs, continued with PR, and then all of them continued with PR-Fast.

    Args:
        plain: the runs to continue.
        scale: how much is trained.
    """
    runs = list(plain)
    with_pr = [resonant(one, scale, "pr") for one in runs]
    with_pr_fast = [resonant(one, scale, "pr_fast") for one in runs]
    return [*with_pr, *with_pr_fast]


def unique(jobs: Iterable[LabelledJob]) -> list[LabelledJob]:
    """The jobs, each name once.

    Args:
        jobs: jobs with equal names are equal.
    """
    by_name = {one.job.name: one for one in jobs}
    return list(by_name.values())


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
    return LabelledJob(Job(_name(host, labels, seed), config, None), labels)


def _second_stage(
    plain: LabelledJob,
    name: str,
    labels: Mapping[str, Label],
    scale: Scale,
    settings: Settings,
) -> LabelledJob:
    first = plain.job.config.model_dump(mode="json")
    length = scale.lengths[plain.job.config.host.name].second
    stages = [*first["stages"], {"episodes": length, **settings}]
    config = validate_strictly(RunConfig, {**first, "stages": stages})
    return LabelledJob(Job(name, config, plain.job.name), labels)


def _name(
    prefix: str,
    labels: Mapping[str, Label],
    seed: int,
    settings: str = "",
) -> str:
    """The name of a run: ``pr_fast-1A4B2C-N8-eta0.75-pmin0.2-seed3``."""
    return f"{prefix}-{labels['task']}-N{labels['agents']}{settings}-seed{seed}"
