"""Second stages that say what of an effect is not resonance: controls of Fig. 4, and of QMIX."""

from __future__ import annotations

from typing import Any

from marl_core.reports.labels import Label
from marl_pr.paper.algorithms import (
    Variant,
    with_greedy_games,
    with_less_entropy,
    with_less_epsilon,
)
from marl_pr.paper.fixed_settings import ETA_MAX, LESS_ENTROPY, LESS_EPSILON
from marl_pr.paper.labelled_job import LabelledJob, run_name
from marl_pr.paper.scale import Scale
from marl_pr.paper.second_stages import resonant, second_stage


def practised(plain: LabelledJob, scale: Scale) -> LabelledJob:
    """A run that continues another one, playing as many games greedily as PR does.

    The other games are played as without resonance. So between this run and one that is merely as
    long there are the greedy games, and between PR and this run there is the correction.

    Args:
        plain: the run to continue.
        scale: how much is trained.
    """
    return _with_greedy_games(plain, scale, "practice", "pr")


def practised_heads(plain: LabelledJob, scale: Scale) -> LabelledJob:
    """A run that continues another one as PR-Fast does, but for the correction.

    Every agent learns a head of its own, and as many games are played greedily as under resonance.
    So between this run and *own heads* there are the greedy games, and between PR-Fast and this run
    there is the correction.

    Args:
        plain: the run to continue.
        scale: how much is trained.
    """
    return _with_greedy_games(
        plain,
        scale,
        "heads_practice",
        "pr_fast",
        p_min=scale.battles.p_min,
    )


def _with_greedy_games(
    plain: LabelledJob,
    scale: Scale,
    kind: str,
    variant: Variant,
    **settings: Any,
) -> LabelledJob:
    config = plain.job.config
    labels: dict[str, Label] = {
        **plain.labels,
        "algorithm": with_greedy_games(str(plain.labels["algorithm"]), variant),
        "eta_max": ETA_MAX,
        "coin": "episode",
    }
    prefix = f"{config.host.name}_{kind}"
    name = run_name(prefix, labels, config.seed, f"-eta{ETA_MAX:g}")
    exploration = {
        "name": "policy_resonance",
        "variant": variant,
        "corrected": False,
        "eta_max": ETA_MAX,
        "ramp_episodes": scale.lengths[config.host.name].ramp,
        **settings,
    }
    return second_stage(plain, name, labels, scale, {"exploration": exploration})


def own_heads(plain: LabelledJob, scale: Scale) -> LabelledJob:
    """A run that continues another one as PR-Fast does, but for the resonance.

    The body of the policy is frozen, and every agent learns a head of its own. So between PR-Fast
    and this run there is the coin alone.

    Args:
        plain: the run to continue.
        scale: how much is trained.
    """
    return resonant(plain, scale, "pr_fast", eta_max=0)


def less_epsilon(plain: LabelledJob, scale: Scale) -> LabelledJob:
    """A run that continues a run of QMIX with a smaller epsilon from the first step on.

    Resonance, too, has more of the team act greedily at a time. Between QMIX that is merely as long
    and this run there is nothing but the epsilon of every single agent, which resonance leaves as
    it is.

    Args:
        plain: the run to continue.
        scale: how much is trained.
    """
    exploration = {
        "name": "epsilon_greedy",
        "start": LESS_EPSILON,
        "end": LESS_EPSILON,
    }
    algorithm = with_less_epsilon(str(plain.labels["algorithm"]))
    return _exploring(plain, scale, "less_epsilon", algorithm, exploration)


def less_entropy(plain: LabelledJob, scale: Scale) -> LabelledJob:
    """A run that continues a run of Conc4Hist with a smaller entropy coefficient, and nothing else.

    Args:
        plain: the run to continue.
        scale: how much is trained.
    """
    exploration = {
        "name": "entropy_sampling",
        "coefficient": scale.battles.entropy * LESS_ENTROPY,
    }
    algorithm = with_less_entropy(str(plain.labels["algorithm"]))
    return _exploring(plain, scale, "less_entropy", algorithm, exploration)


def _exploring(
    plain: LabelledJob,
    scale: Scale,
    kind: str,
    algorithm: str,
    exploration: dict[str, Any],
) -> LabelledJob:
    """A run that continues another one and explores otherwise, without resonance."""
    config = plain.job.config
    labels = {**plain.labels, "algorithm": algorithm}
    name = run_name(f"{config.host.name}_{kind}", labels, config.seed)
    return second_stage(plain, name, labels, scale, {"exploration": exploration})
