"""Everything that is registered keeps the rules of its protocol, and what its config declares."""

from __future__ import annotations

from functools import partial
from importlib.metadata import EntryPoint, entry_points
from typing import Any

import pytest
import torch
from torch import Tensor

from marl_core.base_config import (
    KINDS,
    EnvironmentConfig,
    ExplorationConfig,
    HostConfig,
    Kind,
    PartConfig,
)
from marl_core.capabilities import HostCapabilities
from marl_core.config.named import CouplingConfig, config_class
from marl_core.construction import (
    build_coupling,
    build_environment,
    build_host,
    build_policy,
    coupling_needs,
    environment_spec,
    host_capabilities,
)
from marl_core.exploration.coupled import CoupledExploration
from marl_core.protocols import ExplorationStrategy
from marl_core.registry import find
from marl_core.testing import (
    COUPLING_CHECKS,
    ENVIRONMENT_CHECKS,
    EXPLORATION_CHECKS,
    HOST_CHECKS,
    POLICY_CHECKS,
    CouplingCase,
    EnvironmentCase,
    ExplorationCase,
    HostCase,
    PolicyCase,
)
from marl_core.testing.laws import Exempt
from marl_core.testing.play import play
from marl_core.testing.practice import PRACTICE, Practice, PracticeConfig
from marl_core.types import EnvironmentSpec, Progress
from marl_pr.coupling import PolicyResonance, PolicyResonanceConfig
from tests.support import registered
from tests.support.registered import own_names

#: With what settings to check a part, where the defaults are not enough. Each is a case of its own.
SETTINGS: dict[tuple[Kind, str], list[dict[str, Any]]] = {
    # Enough agents for a guard to see several others: an attention among one has no gradient.
    ("environment", "adca"): [{"agents": 6, "attackers": 7, "max_steps": 4}],
    ("environment", "fme"): [
        {"agents": 5, "tag": "1A2B4C"},
        {"agents": 2, "tag": "1A1B1C", "actions": 4, "level_index": "one_hot"},
    ],
    # They have tests of their own, beside the bare environments.
    ("environment", "gymnasium"): [],
    ("environment", "jaxmarl"): [],
    ("environment", "pettingzoo"): [],
    ("environment", "vmas"): [],
    ("host", "conc4hist"): [{"epochs": 2}],
    ("host", "qmix"): [
        {},
        {"mixer": "sum"},
        {"mixer": "none"},
        {"body": "gru"},
        {"mixer": "none", "body": "gru"},
        {"mixer": "sum", "batch_steps": 20},
    ],
    ("host", "mappo"): [
        {"epochs": 2},
        {"epochs": 2, "body": "gru", "hidden": 8},
        {"epochs": 2, "body": "gru", "critic": "own", "hidden": 8, "sequence": 2},
        {"epochs": 1, "minibatches": 2, "value_normalisation": False, "huber": None},
        {"epochs": 1, "minibatches": 2, "minibatches_of": "steps"},
        {"epochs": 2, "critic": "own", "identity": False},
        {
            "epochs": 2,
            "parameters": "per_agent",
            "encoder_widths": [12],
            "value_clip": 0.2,
        },
        {"epochs": 2, "parameters": "per_agent", "body": "gru", "hidden": 8},
        {"epochs": 2, "parameters": [0, 1, 0], "body": "gru", "hidden": 8},
        {"epochs": 2, "parameters": [0, 1, 0], "critic": "own"},
    ],
    ("host", "ppo_ma"): [{"epochs": 2}, {"epochs": 2, "identity_in_head": False}],
    ("policy", "gaussian"): [{}, {"bounds": "tanh"}],
    # Its rules are checked in tests/core/coupling/test_per_team.py, over a coupling for each team.
    ("coupling", "per_team"): [],
    ("coupling", "policy_resonance"): [
        {},
        {"eta_max": 0.95, "p_min": 0.0, "ramp_episodes": 0},
        {"corrected": False},
    ],
}
#: The checks of a strategy that are about its coupling; `test_policy` has those of its policy.
OF_COUPLING = [name for name in EXPLORATION_CHECKS if not name.startswith("individual")]


def _configs(kind: Kind) -> list[Any]:
    """A config of each part that this project registers, for each of its settings."""
    found = []
    for name in own_names(kind):
        model = config_class(kind, find(kind, name))
        for settings in SETTINGS.get((kind, name), [{}]):
            found.append(model(name=name, **settings))
    return found


def _label(value: object) -> str:
    if not isinstance(value, PartConfig):
        return value if isinstance(value, str) else ""
    others = value.model_dump(exclude={"name", "individual"}, exclude_unset=True)
    return "-".join([value.name, *(str(setting) for setting in others.values())])


# Environments


def _build_environment(config: EnvironmentConfig, **where: Any) -> Any:
    return build_environment(config, **where)


ENVIRONMENTS = [
    EnvironmentCase(partial(_build_environment, config))
    for config in _configs("environment")
]
ENVIRONMENTS.append(PRACTICE)


@pytest.mark.parametrize(
    "case", ENVIRONMENTS, ids=lambda case: type(case.build(1, 0)).__name__
)
@pytest.mark.parametrize("check", ENVIRONMENT_CHECKS)
def test_environment(check: str, case: EnvironmentCase) -> None:
    ENVIRONMENT_CHECKS[check](case)


@pytest.mark.parametrize("config", _configs("environment"), ids=_label)
def test_an_environment_gives_what_its_config_declares(
    config: EnvironmentConfig,
) -> None:
    built = EnvironmentCase(partial(_build_environment, config)).build(1, 0)
    assert built.spec == environment_spec(config)


def test_an_agent_in_practice_is_the_first_entity_in_its_own_sight() -> None:
    case = EnvironmentCase(partial(Practice, PracticeConfig(agents=4)))
    environment = case.build(8, 0)
    for step in play(environment, environment.reset(), case.generator(0)):
        seen = step.before
        assert seen.features is not None
        assert seen.entities is not None
        assert seen.entity_mask is not None
        assert seen.alive is not None
        assert torch.equal(seen.entity_mask[..., 0], seen.alive)
        own = seen.entities[..., 0, :]
        assert torch.equal(own[seen.alive], seen.features[..., :3][seen.alive])
        visible = seen.entities.masked_fill(~seen.entity_mask.unsqueeze(-1), 0)
        in_sight = visible.sum(-2)
        # All of them see every agent that lives.
        assert torch.equal(in_sight, in_sight[:, :1].expand_as(in_sight))


# Individual policies and couplings


@pytest.mark.parametrize("config", _configs("policy"), ids=_label)
@pytest.mark.parametrize("check", POLICY_CHECKS)
def test_policy(check: str, config: ExplorationConfig) -> None:
    POLICY_CHECKS[check](PolicyCase(partial(find("policy", config.name), config)))


def _nobody(individual: Tensor, progress: Progress) -> Tensor:
    return individual.new_zeros(individual.shape[:-1], dtype=torch.bool)


def _explorers(individual: Tensor, progress: Progress) -> Tensor:
    """A greedy team departs from the policy of every agent that explores."""
    return individual.amax(-1) < 1


def _clamped(config: CouplingConfig) -> Exempt:
    """Where Eq. 18 departs from Eq. 17, or nothing is corrected."""
    coupling = find("coupling", config.name)(config, None)
    assert isinstance(coupling, PolicyResonance)
    return coupling.departs


@pytest.mark.parametrize(
    ("name", "exempt"), [("independent", _nobody), ("greedy", _explorers)]
)
@pytest.mark.parametrize("check", COUPLING_CHECKS)
def test_coupling(check: str, name: str, exempt: Exempt) -> None:
    factory: Any = find("coupling", name)
    case = CouplingCase(partial(factory, factory.Config()), exempt)
    COUPLING_CHECKS[check](case)


def test_every_coupling_is_tried() -> None:
    assert own_names("coupling") == [
        "greedy",
        "independent",
        "per_team",
        "policy_resonance",
    ]


@pytest.mark.parametrize("config", _configs("coupling"), ids=_label)
def test_a_coupling_needs_what_its_config_declares(config: CouplingConfig) -> None:
    built = build_coupling(config, EnvironmentSpec(2, 2, 1))
    assert built.needs == coupling_needs(config)


def test_pr_fast_declares_its_needs() -> None:
    config = PolicyResonanceConfig(variant="pr_fast")
    built = build_coupling(config, EnvironmentSpec(2, 2, 1))
    assert built.needs.own_heads
    assert built.needs == coupling_needs(config)


def _resonances() -> list[Any]:
    """Each setting over each policy; all but the default setting briefly, over the first one."""
    settings = [one for one in _configs("coupling") if one.name == "policy_resonance"]
    policies = _configs("policy")
    found = []
    for config in settings:
        for policy in policies:
            extra = config is not settings[0] and policy is not policies[0]
            marks = [pytest.mark.slow] if extra else []
            name = f"{_label(config)}-{_label(policy)}"
            found.append(pytest.param(config, policy, id=name, marks=marks))
    return found


@pytest.mark.parametrize(("config", "individual"), _resonances())
@pytest.mark.parametrize("check", OF_COUPLING)
def test_policy_resonance_over_every_individual_policy(
    check: str, config: CouplingConfig, individual: ExplorationConfig
) -> None:
    policy = find("policy", individual.name)
    coupling = find("coupling", config.name)

    def make(spec: EnvironmentSpec) -> ExplorationStrategy:
        return CoupledExploration(policy(individual, spec), coupling(config, spec))

    EXPLORATION_CHECKS[check](ExplorationCase(make, _clamped(config)))


def test_a_coupling_may_not_be_exempt_from_everything() -> None:
    case = CouplingCase(
        lambda spec: PolicyResonance(),
        lambda individual, _: individual.sum(-1) > 0,
    )
    with pytest.raises(AssertionError, match="nothing was compared"):
        COUPLING_CHECKS["marginal_is_the_individual_policy"](case)


# Hosts


def _exploration_for(capabilities: HostCapabilities) -> ExplorationStrategy:
    """The first registered policy that understands the host's scores."""
    spec = EnvironmentSpec(2, 2, 1)
    policies = [build_policy(config, spec) for config in _configs("policy")]
    fitting = (one for one in policies if capabilities.scores in one.accepts)
    return CoupledExploration(next(fitting))


def _gives(case: EnvironmentCase, capabilities: HostCapabilities) -> bool:
    spec = case.build(1, 0).spec
    offers = {
        "features": spec.features,
        "entities": spec.entities,
        "state": spec.state_features,
    }
    return all(offers[need] is not None for need in capabilities.needs)


def _has_a_group_for_each(config: Any, case: EnvironmentCase) -> bool:
    """Groups are given agent by agent, so that they are of a team of one size."""
    groups = getattr(config, "parameters", "shared")
    return isinstance(groups, str) or len(groups) == case.build(1, 0).spec.agents


def _hosts() -> list[Any]:
    """Every registered host in every environment that gives what it needs."""
    found = []
    for config in _configs("host"):
        capabilities = host_capabilities(config)
        for environment in ENVIRONMENTS:
            if not _gives(environment, capabilities):
                continue
            if not _has_a_group_for_each(config, environment):
                continue
            played = type(environment.build(1, 0)).__name__
            case = HostCase(
                partial(build_host, config),
                environment,
                _exploration_for(capabilities),
            )
            found.append(pytest.param(case, id=f"{config.name}-{played}"))
    return found


HOSTS = _hosts()


@pytest.mark.parametrize("case", HOSTS)
@pytest.mark.parametrize("check", HOST_CHECKS)
def test_host(check: str, case: HostCase) -> None:
    HOST_CHECKS[check](case)


@pytest.mark.parametrize("config", _configs("host"), ids=_label)
def test_a_host_can_do_what_its_config_declares(config: HostConfig) -> None:
    built = HostCase(partial(build_host, config)).build()
    assert built.capabilities == host_capabilities(config)


def test_every_host_is_tried_somewhere() -> None:
    assert {str(case.id).split("-")[0] for case in HOSTS} == set(own_names("host"))


def test_what_others_have_installed_is_none_of_these_tests(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A plugin's config may have a field without a default, and its module may be broken."""
    before = {kind: own_names(kind) for kind in KINDS}
    installed = entry_points

    def with_a_plugin(group: str) -> list[EntryPoint]:
        return [*installed(group=group), EntryPoint("theirs", "broken:Part", group)]

    monkeypatch.setattr(registered, "entry_points", with_a_plugin)
    assert {kind: own_names(kind) for kind in KINDS} == before
    assert all(map(_configs, KINDS[:4]))
