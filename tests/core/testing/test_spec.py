"""Everything that is registered keeps the promises of its protocol."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
import torch
from marl_pr.strategy import PolicyResonance

from marl_core.config.named import (
    EnvironmentConfig,
    ExplorationConfig,
    HostConfig,
    Kind,
)
from marl_core.protocols import ExplorationStrategy, HostNeeds
from marl_core.registry import build, find, names
from marl_core.testing import (
    ENVIRONMENT_CHECKS,
    EXPLORATION_CHECKS,
    HOST_CHECKS,
    EnvironmentCase,
    ExplorationCase,
    HostCase,
)
from marl_core.testing.explorations import Exempt
from marl_core.testing.play import play
from marl_core.testing.practice import Practice, PracticeConfig
from marl_pr.resonance import clamp_acts

#: With what settings to check a component, where it has settings without a default. Each is a case of its own.
SETTINGS: dict[tuple[Kind, str], list[dict[str, Any]]] = {
    # So many that a guard sees several others: an attention among one has no gradient.
    ("environment", "adca"): [{"agents": 6, "attackers": 7, "max_steps": 4}],
    ("environment", "fme"): [
        {"agents": 5, "tag": "1A2B4C"},
        {"agents": 2, "tag": "1A1B1C", "actions": 4, "level_index": "one_hot"},
    ],
    ("host", "conc4hist"): [{"epochs": 2}],
    ("host", "qmix"): [{}, {"mixer": "sum"}],
    ("host", "ppo_ma"): [{"epochs": 2}, {"epochs": 2, "identity_in_head": False}],
}


def _configs(kind: Kind) -> list[Any]:
    """A config of each registered component that stands on its own, for each of its settings."""
    return [
        find(kind, name).Config(name=name, **settings)
        for name in names(kind)
        if name != "policy_resonance"
        for settings in SETTINGS.get((kind, name), [{}])
    ]


def _label(value: object) -> str:
    if isinstance(value, EnvironmentConfig | HostConfig | ExplorationConfig):
        return value.name
    return value if isinstance(value, str) else ""


def _build_environment(config: EnvironmentConfig, **where: Any) -> Any:
    return build("environment", config, **where)


ENVIRONMENTS = [
    EnvironmentCase(partial(_build_environment, config))
    for config in _configs("environment")
]
ENVIRONMENTS.append(EnvironmentCase(partial(Practice, PracticeConfig())))


@pytest.mark.parametrize(
    "case", ENVIRONMENTS, ids=lambda case: type(case.build(1, 0)).__name__
)
@pytest.mark.parametrize("check", ENVIRONMENT_CHECKS)
def test_environment(check: str, case: EnvironmentCase) -> None:
    ENVIRONMENT_CHECKS[check](case)


def test_who_practises_is_the_first_entity_in_its_own_sight() -> None:
    case = EnvironmentCase(partial(Practice, PracticeConfig(agents=4)))
    environment = case.build(8, 0)
    for step in play(environment, environment.reset(), case.generator(0)):
        seen = step.before
        assert seen.features is not None
        assert seen.entities is not None
        assert seen.entity_mask is not None
        assert seen.alive is not None
        assert torch.equal(seen.entity_mask[..., 0], seen.alive)
        assert torch.equal(
            seen.entities[..., 0, :][seen.alive], seen.features[..., :3][seen.alive]
        )
        in_sight = seen.entities.masked_fill(~seen.entity_mask.unsqueeze(-1), 0).sum(-2)
        assert torch.equal(
            in_sight, in_sight[:, :1].expand_as(in_sight)
        )  # all of them see everybody who lives


@pytest.mark.parametrize("config", _configs("exploration"), ids=_label)
@pytest.mark.parametrize("check", EXPLORATION_CHECKS)
def test_exploration(check: str, config: ExplorationConfig) -> None:
    EXPLORATION_CHECKS[check](ExplorationCase(partial(build, "exploration", config)))


def _clamp(config: ExplorationConfig, p_min: float) -> Exempt:
    strategy: PolicyResonance = build("exploration", config)
    return lambda individual, progress: clamp_acts(
        individual, strategy.eta(progress), p_min
    )


@pytest.mark.parametrize("individual", _configs("exploration"), ids=_label)
@pytest.mark.parametrize(
    "settings",
    [{}, {"eta_max": 0.95, "p_min": 0.0, "ramp_episodes": 0}],
    ids=["default", "hard"],
)
@pytest.mark.parametrize("check", EXPLORATION_CHECKS)
def test_policy_resonance_over_every_individual_policy(
    check: str, settings: dict[str, Any], individual: ExplorationConfig
) -> None:
    config = PolicyResonance.Config(
        name="policy_resonance", individual=individual, **settings
    )
    case = ExplorationCase(
        partial(build, "exploration", config), _clamp(config, config.p_min)
    )
    EXPLORATION_CHECKS[check](case)


def test_a_strategy_may_not_be_exempt_from_everything() -> None:
    with pytest.raises(AssertionError, match="nothing was compared"):
        EXPLORATION_CHECKS["marginal_is_the_individual_policy"](
            ExplorationCase(
                partial(build, "exploration", _configs("exploration")[0]),
                lambda individual, _: individual.sum(-1) > 0,
            )
        )


def _exploration_for(needs: HostNeeds) -> ExplorationStrategy:
    """The first registered strategy that stands on its own and understands the host's scores."""
    strategies: list[ExplorationStrategy] = [
        build("exploration", config) for config in _configs("exploration")
    ]
    return next(strategy for strategy in strategies if needs.scores in strategy.accepts)


def _gives(case: EnvironmentCase, needs: HostNeeds) -> bool:
    spec = case.build(1, 0).spec
    offers = {
        "features": spec.features,
        "entities": spec.entities,
        "state": spec.state_features,
    }
    return all(
        offered is not None or not getattr(needs, what)
        for what, offered in offers.items()
    )


def _build_host(config: HostConfig, *args: Any) -> Any:
    return build("host", config, *args)


HOSTS = [
    pytest.param(
        HostCase(
            partial(_build_host, config),
            environment,
            _exploration_for(find("host", config.name).needs),  # type: ignore[attr-defined]
        ),
        id=f"{config.name}-{type(environment.build(1, 0)).__name__}",
    )
    for config in _configs("host")
    for environment in ENVIRONMENTS
    if _gives(environment, find("host", config.name).needs)  # type: ignore[attr-defined]
]


@pytest.mark.parametrize("case", HOSTS)
@pytest.mark.parametrize("check", HOST_CHECKS)
def test_host(check: str, case: HostCase) -> None:
    HOST_CHECKS[check](case)


def test_every_host_is_tried_somewhere() -> None:
    assert {str(case.id).split("-")[0] for case in HOSTS} == set(names("host"))
