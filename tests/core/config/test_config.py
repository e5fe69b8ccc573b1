"""Configs: what is read is what was written, defaults and all; overrides; the JSON schema."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import jsonschema  # type: ignore[import-untyped]
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError
from ruamel.yaml import YAML

from marl_core.base_config import KINDS, validate_strictly
from marl_core.config.named import PART, config_class
from marl_core.config.run import Precision, RunConfig
from marl_core.config.schema import run_schema
from marl_core.config.yaml_file import dump_run, load_run
from marl_core.registry import EXPLORATIONS, find, names
from marl_envs.fme.config import FMEConfig
from marl_pr.coupling import PolicyResonanceConfig
from tests.support.command import RUN
from tests.support.places import EXAMPLES

CONFIGS = sorted(EXAMPLES.glob("*.yaml"))

UNIT = st.floats(0, 1, exclude_max=True)
POSITIVE = st.floats(1e-12, 1e12)
COUNT = st.integers(1, 10**6)


def _bandit(arms: list[int]) -> dict[str, Any]:
    return {"kind": "B", "arms": arms, "probabilities": [1 / len(arms)] * len(arms)}


ACTION = st.integers(0, 11)
LEVEL = st.one_of(
    st.fixed_dictionaries({"kind": st.sampled_from(["A", "C"]), "action": ACTION}),
    st.lists(ACTION, min_size=1, max_size=4, unique=True).map(_bandit),
)
TASK = st.one_of(
    st.fixed_dictionaries(
        {"tag": st.sampled_from(["1A4B2C", "0A0B1C", "2A0B0C", "12A3B4C"])}
    ),
    st.fixed_dictionaries({"levels": st.lists(LEVEL, min_size=1, max_size=4)}),
)
TEAM: dict[str, st.SearchStrategy[Any]] = {
    "name": st.just("fme"),
    "agents": st.integers(2, 10**6),
    "actions": st.just(12),
}
ENVIRONMENT = st.builds(
    lambda team, task: {**team, **task},
    st.fixed_dictionaries(
        TEAM, optional={"level_index": st.sampled_from(["scalar", "one_hot"])}
    ),
    TASK,
)
BY_NAME: dict[str, dict[str, st.SearchStrategy[Any]]] = {
    name: {"name": st.just(name)}
    for name in ("ppo_ma", "entropy_sampling", "policy_resonance")
}
HOST = st.fixed_dictionaries(
    BY_NAME["ppo_ma"],
    optional={
        "learning_rate": POSITIVE,
        "gamma": UNIT,
        "hidden": COUNT,
        "identity_in_head": st.booleans(),
    },
)
ENTROPY = st.fixed_dictionaries(
    BY_NAME["entropy_sampling"], optional={"coefficient": UNIT, "temperature": POSITIVE}
)
RESONANCE = st.fixed_dictionaries(
    BY_NAME["policy_resonance"],
    optional={
        "individual": ENTROPY,
        "eta_max": UNIT,
        "ramp_episodes": st.integers(0, 10**9),
        "level": st.sampled_from(["episode", "step"]),
        "variant": st.sampled_from(["pr", "pr_fast"]),
    },
)
STAGE = st.fixed_dictionaries(
    {"episodes": st.integers(1, 10**9).map(lambda updates: 60 * updates)},
    optional={"exploration": st.one_of(st.none(), ENTROPY, RESONANCE)},
)
TRAINING = st.fixed_dictionaries(
    {"episodes_per_update": st.sampled_from([12, 60])},
    optional={
        "devices": st.sampled_from([1, 2, 3, 4]),
        "threads": st.one_of(st.none(), st.integers(1, 1024)),
        "precision": st.sampled_from(get_args(Precision)),
        "accelerator": st.sampled_from(["cpu", "gpu", "null", "1e3", "no", " "]),
        "tensorboard": st.booleans(),
    },
)
RUNS = st.fixed_dictionaries(
    {
        "seed": st.integers(0, 2**63 - 1),
        "environment": ENVIRONMENT,
        "host": HOST,
        "exploration": ENTROPY,
        "stages": st.lists(STAGE, min_size=1, max_size=3),
        "training": TRAINING,
    }
)


@pytest.fixture(scope="module")
def validator() -> Any:
    """Of the JSON schema."""
    schema = run_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def _plain(text: str) -> Any:
    return YAML(typ="safe").load(text)


def _written_out(config: BaseModel, written: Any, place: str = "") -> Iterator[str]:
    """The fields of a config that are not among the written ones, or not with their value."""
    for name in type(config).model_fields:
        here, value = f"{place}.{name}", getattr(config, name)
        if name not in written:
            yield here
        elif isinstance(value, BaseModel):
            yield from _written_out(value, written[name], here)
        elif isinstance(value, tuple) and value and isinstance(value[0], BaseModel):
            for index, item in enumerate(value):
                yield from _written_out(item, written[name][index], f"{here}.{index}")
        elif (list(value) if isinstance(value, tuple) else value) != written[name]:
            yield here


@given(data=RUNS)
@settings(max_examples=50)
def test_what_is_dumped_is_loaded_again(
    data: dict[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> None:
    config = validate_strictly(RunConfig, data)
    path = tmp_path_factory.getbasetemp() / "round_trip.yaml"
    path.write_text(dump_run(config), encoding="utf-8")
    loaded = load_run(path)
    assert loaded == config
    assert dump_run(loaded) == dump_run(config)
    assert list(_written_out(config, _plain(dump_run(config)))) == []


@given(data=RUNS)
@settings(max_examples=50)
def test_the_schema_knows_what_is_valid(data: dict[str, Any], validator: Any) -> None:
    validator.validate(data)
    validator.validate(_plain(dump_run(validate_strictly(RunConfig, data))))


def test_missing_defaults_would_be_noticed() -> None:
    config = validate_strictly(RunConfig, _plain(RUN))
    assert {".host.gamma", ".training.devices"} < set(_written_out(config, _plain(RUN)))


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.name)
def test_examples_are_valid_for_us_and_for_editors(path: Path, validator: Any) -> None:
    validator.validate(_plain(path.read_text()))
    config = load_run(path)
    validator.validate(_plain(dump_run(config)))


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("agents: 3", "agnets: 3"),
        ("agents: 3", "agents: '3'"),
        ("agents: 3", "agents: 3\n  few: true"),
        ("hidden: 4", "hiden: 4"),
        ("name: ppo_ma", "name: ppo_m"),
        ("eta_max: 0.5", "eta_max: 1"),
        ("eta_max: 0.5", "eta_mx: 0.5"),
        ("eta_max: 0.5", "individual: {name: entropy_sampling, temprature: 1}"),
        ("name: policy_resonance", "name: fme"),
        ("tag: 1A1B1C", "levels: [{kind: A, acton: 0}]"),
        ("tensorboard: false", "precision: 32"),
        ("seed: 0", "sed: 0"),
        ("episodes: 32\n  -", "episodes: 0\n  -"),
        (RUN[RUN.index("stages:") : RUN.index("training:")], ""),
        (RUN[RUN.index("stages:") : RUN.index("training:")], "stages: []\n"),
    ],
)
def test_the_schema_refuses_a_slip(right: str, wrong: str, validator: Any) -> None:
    assert right in RUN
    assert validator.is_valid(_plain(RUN))
    assert not validator.is_valid(_plain(RUN.replace(right, wrong, 1)))


def test_the_schema_lets_dotted_names_pass(validator: Any) -> None:
    text = RUN.replace(
        "name: ppo_ma\n  hidden: 4", "name: mine.hosts:Mine\n  anything: 4"
    )
    assert validator.is_valid(_plain(text))


def test_the_schema_helps_an_editor() -> None:
    schema = run_schema()
    assert PART not in json.dumps(schema)
    assert all(field.get("description") for field in schema["properties"].values())
    assert all(
        field.get("description")
        for field in schema["$defs"]["TrainingConfig"]["properties"].values()
    )
    for kind in KINDS:
        kinds = EXPLORATIONS if kind == "exploration" else (kind,)
        named = [(one, name) for one in kinds for name in names(one)]
        members = [
            member["$ref"].removeprefix("#/$defs/")
            for member in schema["$defs"][kind]["oneOf"][:-1]
        ]
        assert members == [f"{one}_{name}" for one, name in named]
        for (one, name), member in zip(named, members, strict=True):
            properties = schema["$defs"][member]["properties"]
            assert properties["name"]["const"] == name
            model = config_class(one, find(one, name))
            assert properties.keys() == model.model_fields.keys()
    eta = schema["$defs"]["coupling_policy_resonance"]["properties"]["eta_max"]
    assert (eta["default"], eta["exclusiveMaximum"], eta["type"]) == (0.75, 1, "number")
    assert "probability" in eta["description"]


def test_numbers_are_those_of_yaml_1_2(tmp_path: Path) -> None:
    path = tmp_path / "run.yaml"
    path.write_text(
        RUN.replace(
            "hidden: 4", "learning_rate: 1e-3\n  gamma: 1\n  clip: 2E-1\n  hidden: 0x10"
        )
    )
    host: Any = load_run(path).host
    assert (host.learning_rate, host.gamma, host.clip, host.hidden) == (
        0.001,
        1.0,
        0.2,
        16,
    )
    assert type(host.gamma) is float
    overridden: Any = load_run(path, ["host.learning_rate=5e-4"]).host
    assert overridden.learning_rate == 0.0005


@pytest.mark.parametrize(
    ("override", "right", "wrong"),
    [
        ("seed=7", "seed: 0", "seed: 7"),
        ("environment.agents=5", "agents: 3", "agents: 5"),
        (" stages.1.exploration.eta_max =0.25", "eta_max: 0.5", "eta_max: 0.25"),
        (
            "stages.1.exploration.level=step",
            "eta_max: 0.5",
            "eta_max: 0.5\n      level: step",
        ),
        (
            "stages.1.exploration={name: entropy_sampling}",
            "policy_resonance\n      eta_max: 0.5",
            "entropy_sampling",
        ),
        ("stages.1.exploration=null", "name: policy_resonance\n      eta_max: 0.5", ""),
        (
            "stages.0.exploration.name=entropy_sampling",
            "32\n  -",
            "32\n    exploration: {name: entropy_sampling}\n  -",
        ),
        (
            "training.strategy=a=b",
            "tensorboard: false",
            "tensorboard: false\n  strategy: a=b",
        ),
    ],
)
def test_an_override_is_as_if_the_file_said_so(
    tmp_path: Path, override: str, right: str, wrong: str
) -> None:
    path, edited = tmp_path / "run.yaml", tmp_path / "edited.yaml"
    path.write_text(RUN)
    assert right in RUN
    edited.write_text(RUN.replace(right, wrong, 1))
    assert load_run(path, [override]) == load_run(edited) != load_run(path)


def test_of_two_overrides_the_last_wins(tmp_path: Path) -> None:
    path = tmp_path / "run.yaml"
    path.write_text(RUN)
    assert load_run(path, ["seed=1", "seed=2"]).seed == 2
    whole: Any = load_run(path, ["host.hidden=5", "host={name: ppo_ma}"]).host
    assert whole.hidden == 8
    part: Any = load_run(path, ["host={name: ppo_ma}", "host.hidden=5"]).host
    assert part.hidden == 5


def test_an_override_of_what_an_alias_repeats_changes_one_place(tmp_path: Path) -> None:
    path = tmp_path / "run.yaml"
    aliased = RUN.replace(
        "32\n  - episodes: 32\n    exploration:", "32\n    exploration: &same"
    )
    aliased = aliased.replace(
        "training:", "  - {episodes: 32, exploration: *same}\ntraining:"
    )
    path.write_text(aliased)
    first, second = load_run(path, ["stages.1.exploration.eta_max=0.1"]).stages
    assert isinstance(first.exploration, PolicyResonanceConfig)
    assert isinstance(second.exploration, PolicyResonanceConfig)
    assert (first.exploration.eta_max, second.exploration.eta_max) == (0.5, 0.1)


def test_a_stage_takes_over_the_runs_exploration(tmp_path: Path) -> None:
    path = tmp_path / "run.yaml"
    path.write_text(
        RUN.replace(
            "name: entropy_sampling", "name: entropy_sampling\n  coefficient: 0.25"
        )
    )
    config = load_run(path)
    assert config.stage_exploration(0) == config.exploration
    resonant = config.stage_exploration(1)
    assert isinstance(resonant, PolicyResonanceConfig)
    assert resonant.individual == config.exploration


def test_a_file_may_begin_with_a_byte_order_mark(tmp_path: Path) -> None:
    path = tmp_path / "run.yaml"
    path.write_bytes(b"\xef\xbb\xbf" + RUN.encode())
    assert load_run(path).seed == 0


def test_configs_made_in_python_refuse_with_the_same_sentences() -> None:
    with pytest.raises(
        ValidationError, match="a Lv-C level needs at least 2 agents, found 1"
    ):
        FMEConfig(name="fme", agents=1, tag="0A0B1C")
    with pytest.raises(
        ValidationError, match="unknown host 'ppo_m', did you mean 'ppo_ma'"
    ):
        RunConfig.model_validate({**_plain(RUN), "host": {"name": "ppo_m"}})


def test_configs_cannot_be_changed(tmp_path: Path) -> None:
    path = tmp_path / "run.yaml"
    path.write_text(RUN)
    config = load_run(path)
    with pytest.raises(ValidationError, match="frozen"):
        config.seed = 1
