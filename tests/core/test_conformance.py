"""A class fits a protocol by its members alone, and what is missing or wrong is named."""

from __future__ import annotations

import json
import shutil
import sys
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch

from marl_core import protocols
from marl_core.base_config import Kind
from marl_core.config.named import CouplingConfig
from marl_core.conformance import members, misfits
from marl_core.construction import build_coupling
from marl_core.errors import UserError
from marl_core.registry import find, find_any
from marl_core.testing import check_environment, check_exploration, check_host
from marl_core.types import EnvironmentSpec
from tests.support import inherits_nothing as parts
from tests.support.command import Command, refused

SOURCE = Path(parts.__file__)
RUN = """\
environment:
  name: parts:Lanterns
  agents: 4
host:
  name: parts:Linear
exploration:
  name: parts:Softmax
stages:
  - episodes: 64
  - episodes: 64
    exploration:
      name: parts:Halves
      share: 0.75
  - episodes: 64
    exploration:
      name: parts:Both
training:
  episodes_per_update: 16
  parallel_games: 8
  evaluation_episodes: 4
  log_every: 1
  tensorboard: false
  threads: 1
"""
KINDS: dict[Kind, Any] = {
    "environment": parts.Lanterns,
    "host": parts.Linear,
    "policy": parts.Softmax,
    "coupling": parts.Halves,
    "exploration": parts.Both,
}
PROTOCOLS = {
    "environment": protocols.Environment,
    "host": protocols.HostAlgorithm,
    "policy": protocols.IndividualPolicy,
    "coupling": protocols.Coupling,
    "exploration": protocols.ExplorationStrategy,
}


@pytest.fixture(autouse=True)
def _module_is_read_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each test has a module ``parts`` of its own."""
    monkeypatch.setitem(sys.modules, "parts", parts)
    monkeypatch.delitem(sys.modules, "parts")


def _spec() -> EnvironmentSpec:
    return EnvironmentSpec(agents=2, actions=2, max_steps=3, features=4)


def _made(kind: Kind) -> Any:
    """A part of a kind, with its default settings."""
    factory = KINDS[kind]
    config: Any = getattr(factory, "Config", dict)()
    generator = torch.Generator()
    if kind == "environment":
        return factory(config, games=2, device="cpu", generator=generator)
    if kind == "host":
        return factory(config, _spec(), generator)
    return factory(config, _spec())


# Parts that inherit nothing


@pytest.mark.parametrize("kind", KINDS)
def test_the_parts_inherit_nothing(kind: Kind) -> None:
    factory = KINDS[kind]
    assert factory.__mro__ == (factory, object)
    config = getattr(factory, "Config", None)
    assert config is None or not config.__mro__[1].__module__.startswith("marl")


def test_parts_that_inherit_nothing_train(marl: Command) -> None:
    shutil.copy(SOURCE, marl.folder / "parts.py")
    config = marl.write(RUN)
    outcome = marl("train", "--config", str(config), "--run-dir", "run")
    assert outcome.status == 0, outcome.err
    summary = json.loads((marl.folder / "run" / "summary.json").read_text())
    assert summary["updates"] == 12
    lines = (marl.folder / "run" / "metrics.csv").read_text().splitlines()
    assert "coupling/lower" in lines[0]
    again = marl("evaluate", "run", "--json")
    assert again.status == 0, again.err


def test_parts_that_inherit_nothing_keep_the_rules() -> None:
    """The spec checker asks for members alone, too."""
    lanterns = partial(parts.Lanterns, parts.LanternsConfig())
    check_environment(lanterns)
    check_host(partial(parts.Linear, None), environment=lanterns)
    check_exploration(partial(parts.Both, None))


# What does not fit


@pytest.mark.parametrize("kind", KINDS)
def test_a_part_that_fits_has_no_misfits(kind: Kind) -> None:
    assert misfits(KINDS[kind], PROTOCOLS[kind]) == []
    assert misfits(_made(kind), PROTOCOLS[kind]) == []


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (kind, name)
        for kind, protocol in PROTOCOLS.items()
        for name in members(protocol)
    ],
)
def test_a_missing_member_is_named(kind: Kind, name: str) -> None:
    """Every member of every protocol, on an object."""
    part = _made(kind)
    protocol = PROTOCOLS[kind]

    class Without:
        def __getattr__(self, asked: str) -> Any:
            if asked == name:
                raise AttributeError(asked)
            return getattr(part, asked)

    assert misfits(Without(), protocol) == [f"'{name}' is missing"]


def test_protocols_state_what_they_ask_for() -> None:
    assert set(members(protocols.Environment)) == {"spec", "reset", "step"}
    assert set(members(protocols.ExplorationStrategy)) == {"individual", "coupling"}
    assert set(members(protocols.IndividualPolicy)) == {
        "accepts",
        "log_policy",
        "entropy_coefficient",
    }


class NoStep:
    spec = _spec()

    def reset(self, games: Any = None) -> None: ...


class StepTakesNothing(NoStep):
    def step(self) -> None: ...


class StepIsAValue(NoStep):
    step = 3


class SpecIsAMethod(NoStep):
    def spec(self) -> None: ...  # type: ignore[override]

    def step(self, actions: Any) -> None: ...


class TakesMore(NoStep):
    """More than is asked for is fine, as long as it has defaults."""

    def step(self, actions: Any, render: bool = False, *more: Any) -> None: ...


@pytest.mark.parametrize(
    ("part", "problems"),
    [
        (NoStep(), ["'step' is missing"]),
        (StepTakesNothing(), ["'step' must take (actions)"]),
        (StepIsAValue(), ["'step' must be a method"]),
        (SpecIsAMethod(), ["'spec' must be a value, it is a method"]),
        (TakesMore(), []),
        (object(), ["'spec' is missing", "'reset' is missing", "'step' is missing"]),
    ],
)
def test_what_is_wrong_is_named(part: Any, problems: list[str]) -> None:
    assert misfits(part, protocols.Environment) == problems
    methods = [problem for problem in problems if "spec" not in problem]
    assert misfits(type(part), protocols.Environment) == methods


class HalfACoupling(parts.Halves):
    law = None  # type: ignore[assignment]


@pytest.mark.parametrize(
    ("kind", "name", "message"),
    [
        ("environment", "NoStep", "Environment): 'step' is missing"),
        ("environment", "StepTakesNothing", "'step' must take (actions)"),
        ("environment", "Halves", "'reset' is missing, 'step' is missing"),
        ("coupling", "HalfACoupling", "Coupling): 'law' must be a method"),
        ("policy", "Lanterns", "'log_policy' is missing"),
        ("host", "RUN", "it is not a class"),
    ],
)
def test_the_registry_names_the_member(kind: Kind, name: str, message: str) -> None:
    with pytest.raises(LookupError) as error:
        find(kind, f"{__name__}:{name}" if name in globals() else _of_parts(name))
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def _of_parts(name: str) -> str:
    return f"{parts.__name__}:{name}"


@pytest.mark.parametrize("kind", ["policy", "coupling", "exploration"])
def test_what_may_explore_is_told_apart_by_its_members(kind: Kind) -> None:
    name = _of_parts(KINDS[kind].__name__)
    assert find_any(("policy", "coupling", "exploration"), name) == (kind, KINDS[kind])


class NamesAreMissing(parts.Halves):
    """A member that is set when the object is made cannot be asked of the class."""

    def __init__(self, config: Any, spec: Any) -> None:
        super().__init__(config, spec)

    @property
    def component_names(self) -> Any:  # type: ignore[override]
        raise AttributeError("component_names")


class IsMissingNames(CouplingConfig):
    name: str = f"{__name__}:NamesAreMissing"
    share: float = 0.5


def test_a_part_is_looked_at_again_once_it_is_made() -> None:
    with pytest.raises(UserError, match="does not fit: 'component_names' is missing"):
        build_coupling(IsMissingNames(), _spec())


@pytest.mark.parametrize("name", ["collections:OrderedDict", "pathlib:Path"])
def test_what_is_not_made_from_a_config_and_a_spec_is_no_strategy(name: str) -> None:
    with pytest.raises(LookupError, match="is no exploration"):
        find_any(("policy", "coupling", "exploration"), name)


#: Changes of the module: in which class, what is replaced, by what, and what is said then.
CHANGES = [
    ("Lanterns", "def step(", "def walk(", "'step' is missing"),
    (
        "Lanterns",
        "def step(self, actions: Tensor)",
        "def step(self)",
        "'step' must take (actions)",
    ),
    ("Linear", "def parameter_groups(", "def groups(", "'parameter_groups' is missing"),
    ("Linear", "capabilities =", "abilities =", "neither its Config nor its class"),
    ("Softmax", "def log_policy(", "def policy(", "'log_policy' is missing"),
    ("Softmax", "accepts:", "takes:", "'accepts' is missing"),
    ("Halves", "def weights(", "def coin(", "'weights' is missing"),
    ("Halves", "holds:", "lasts:", "'holds' is missing"),
    ("Both", "self.coupling =", "self.shared =", "'coupling' is missing"),
]


@pytest.mark.parametrize(("class_name", "found", "instead", "message"), CHANGES)
def test_marl_names_the_member_in_one_line(
    class_name: str, found: str, instead: str, message: str, marl: Command
) -> None:
    text = SOURCE.read_text()
    at = text.index(found, text.index(f"class {class_name}:"))
    marl.write(text[:at] + instead + text[at + len(found) :], "parts.py")
    config = marl.write(RUN)
    assert message in refused(
        marl, "train", "--config", str(config), "--run-dir", "run"
    )
