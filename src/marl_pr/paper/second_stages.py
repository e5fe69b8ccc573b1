"""Training runs that continue others with a second stage: configs, names and labels."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from marl_core.base_config import validate_strictly
from marl_core.config.run import RunConfig
from marl_core.reports.labels import Label
from marl_core.sweep import Job
from marl_pr.paper.algorithms import Variant, as_long, with_resonance
from marl_pr.paper.fixed_settings import ETA_MAX, P_MIN
from marl_pr.paper.host_settings import Settings
from marl_pr.paper.labelled_job import LabelledJob, run_name
from marl_pr.paper.scale import Scale

#: How long the team's coin holds.
Coin = Literal["episode", "step"]


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
        p_min: of Eq. 18; None is the scale's for Conc4Hist and 0.2 for the other hosts.
        coin: how long the team's coin holds.
    """
    config = plain.job.config
    if p_min is None:
        p_min = scale.battles.p_min if config.host.name == "conc4hist" else P_MIN
    resonance = _Resonance(variant, eta_max, p_min, coin)
    labels = {
        **plain.labels,
        "algorithm": with_resonance(str(plain.labels["algorithm"]), variant),
        **resonance.labels(),
    }
    prefix = resonance.prefix(config.host.name)
    name = run_name(prefix, labels, config.seed, f"-eta{eta_max:g}-pmin{p_min:g}")
    exploration = resonance.exploration(scale.lengths[config.host.name].ramp)
    return second_stage(plain, name, labels, scale, {"exploration": exploration})


def longer(plain: LabelledJob, scale: Scale) -> LabelledJob:
    """A run that continues another one with a second stage without resonance.

    Runs in resonance are to be compared with this one, because it is trained for as long.

    Args:
        plain: the run to continue.
        scale: how much is trained.
    """
    config = plain.job.config
    labels = {**plain.labels, "algorithm": as_long(str(plain.labels["algorithm"]))}
    name = run_name(f"{config.host.name}_longer", labels, config.seed)
    return second_stage(plain, name, labels, scale, {})


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


def second_stage(
    plain: LabelledJob,
    name: str,
    labels: Mapping[str, Label],
    scale: Scale,
    settings: Settings,
) -> LabelledJob:
    """A run that continues another one with a second stage.

    Args:
        plain: the run to continue.
        name: of the new run.
        labels: of the new run.
        scale: how much is trained.
        settings: of the second stage, but for its length.
    """
    first = plain.job.config.model_dump(mode="json")
    length = scale.lengths[plain.job.config.host.name].second
    stages = [*first["stages"], {"episodes": length, **settings}]
    config = validate_strictly(RunConfig, {**first, "stages": stages})
    return LabelledJob(Job(name, config, plain.job.name), labels)
