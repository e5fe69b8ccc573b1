"""Configs drawn from their own schema: the valid ones can be used, the others get their line."""

from __future__ import annotations

import copy
import io
import shutil
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from marl_core.api.training import train
from marl_core.base_config import validate_strictly
from marl_core.config.run import RunConfig
from marl_core.config.schema import run_schema
from marl_core.config.yaml_file import RunSource, dump_run
from marl_core.errors import UserError, printable
from marl_core.training.stages import check
from tests.support.command import RUN, Command
from tests.support.runs import run_data
from tests.support.schema_strategies import slips, values_of

SCHEMA = run_schema()
BY_SCHEMA = values_of(SCHEMA, SCHEMA)
VALID = [
    run_data("pr_fast"),
    run_data("pr", host="qmix"),
    run_data("ppo_ma", host="conc4hist"),
]
FEW = settings(max_examples=80, suppress_health_check=list(HealthCheck))
#: Of a run that takes a second, a smaller one is not worth minutes of search.
AS_FOUND = [Phase.explicit, Phase.generate]
MANY = settings(max_examples=3000, suppress_health_check=list(HealthCheck))


def _answer(data: Any) -> RunConfig | None:
    """The config; None where it is refused, by lines that can be shown."""
    try:
        return RunSource.of_values(data).config()
    except UserError as error:
        _check_lines(error)
        return None


def _check_lines(error: UserError) -> None:
    lines = [printable(line) for line in error.lines]
    assert 1 <= len(lines) <= 20
    for line in lines:
        assert line.isprintable()
        assert 0 < len(line) <= 2003


def _by_schema(data: dict[str, Any]) -> None:
    config = _answer(data)
    if config is None:
        return  # what goes together is not the schema's to know
    text = dump_run(config)
    again = YAML(typ="safe").load(text)
    assert validate_strictly(RunConfig, again) == config


def _with_slips(data: dict[str, Any]) -> None:
    config = _answer(data)
    if config is not None:
        assert RunConfig.model_validate(config.model_dump()) == config


@FEW
@given(data=BY_SCHEMA)
def test_what_the_schema_allows_is_a_config_or_gets_its_lines(
    data: dict[str, Any],
) -> None:
    _by_schema(data)


@FEW
@given(data=st.sampled_from(VALID).flatmap(slips))
def test_slips_get_their_lines(data: dict[str, Any]) -> None:
    _with_slips(data)


@pytest.mark.slow
@MANY
@given(data=BY_SCHEMA)
def test_thousands_that_the_schema_allows(data: dict[str, Any]) -> None:
    _by_schema(data)


@pytest.mark.slow
@MANY
@given(data=st.sampled_from(VALID).flatmap(slips))
def test_thousands_with_slips(data: dict[str, Any]) -> None:
    _with_slips(data)


PIECES = [
    *["- ", ": ", ", ", "[", "]", "{", "}", "&a ", "*a", "<<: ", "!t ", "|\n", ">\n"],
    *["? ", "#", "'", '"', "\\", "%", "@", "`", "---\n", "...\n", "\t", "\n", "  "],
    *["\x00", "\x1b", "\x85", "\u2028", "\ufeff", "é", "null", "~", "1e999", "0x", "-"],
]


@st.composite
def broken_texts(draw: st.DrawFn) -> str:
    """A config's text with pieces put in, taken out and put elsewhere."""
    text = RUN
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(text)))
        end = min(len(text), start + draw(st.integers(0, 12)))
        piece = draw(st.sampled_from([*PIECES, "", text[start:end] * 2]))
        text = text[:start] + piece + text[end:]
    return text


def _text(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")
    try:
        check(RunSource.of_file(path).config())
    except UserError as error:
        _check_lines(error)


@settings(FEW, max_examples=60)
@given(text=broken_texts())
def test_broken_texts(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    _text(tmp_path_factory.getbasetemp() / "broken.yaml", text)


@pytest.mark.slow
@MANY
@given(text=broken_texts())
def test_thousands_of_broken_texts(
    tmp_path_factory: pytest.TempPathFactory, text: str
) -> None:
    _text(tmp_path_factory.getbasetemp() / "broken.yaml", text)


def _small(schema: Any) -> Any:
    """The schema with bounds within which a run takes no time."""
    if isinstance(schema, list):
        return [_small(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    small = {key: _small(value) for key, value in schema.items()}
    if small.get("type") == "integer":
        small["maximum"] = min(small.get("maximum", 6), 6)
    if small.get("type") == "number" and small.get("maximum", 0) > 10:
        least = small.pop("exclusiveMinimum", small.get("minimum", 0.0))
        small |= {"minimum": least + 0.01, "maximum": least + 2.0}
    return small


TINY = _small(copy.deepcopy(SCHEMA))


@st.composite
def tiny_runs(draw: st.DrawFn) -> dict[str, Any]:
    """Configs from the schema whose parts go together, and that are trained in no time."""
    defs = TINY["$defs"]
    host = draw(st.sampled_from(["ppo_ma", "qmix"]))
    policies = (
        ["entropy_sampling"] if host == "ppo_ma" else ["epsilon_greedy", "boltzmann"]
    )
    batch = 2 * draw(st.integers(1, 2))

    def part(name: str) -> Any:
        return draw(values_of(defs[name], TINY))

    policy = draw(st.sampled_from(policies))
    stages: list[dict[str, Any]] = [{"episodes": batch}]
    coupling = draw(st.sampled_from(["independent", "greedy", "policy_resonance"]))
    coupled = {**_own_heads(part(f"coupling_{coupling}")), "individual": None}
    stages.append({"episodes": batch, "exploration": coupled})
    training = draw(values_of(defs["TrainingConfig"], TINY))
    machine = {"accelerator", "strategy", "devices", "num_nodes", "compile", "threads"}
    training = {key: value for key, value in training.items() if key not in machine}
    training |= {"episodes_per_update": batch, "parallel_games": None, "threads": 1}
    training |= {"tensorboard": False, "keep": {"every": 1, "best": "greedy/return"}}
    team = {
        "agents": draw(st.integers(2, 4)),
        "actions": draw(st.integers(3, 5)),
        "tag": draw(st.sampled_from(["1A0B0C", "1A1B1C", "0A0B2C"])),
    }
    settings_of_host = part(f"host_{host}")
    if host == "qmix":
        settings_of_host |= {"batch_episodes": 2, "replay_episodes": 4}
        training |= {"rollout_steps": None}
        if settings_of_host.get("body") == "gru":
            settings_of_host |= {"batch_steps": None}
    return {
        "seed": draw(st.integers(0, 2**63 - 1)),
        "environment": {"name": "fme", **team},
        "host": settings_of_host,
        "exploration": _falling(part(f"policy_{policy}")),
        "stages": stages,
        "training": training,
    }


def _own_heads(coupling: dict[str, Any]) -> dict[str, Any]:
    """A tree of heads only where agents have heads of their own."""
    if coupling.get("heads") == "tree":
        coupling |= {"variant": "pr_fast"}
    return coupling


def _falling(policy: dict[str, Any]) -> dict[str, Any]:
    """A schedule that falls, as it must."""
    if "start" in policy or "end" in policy:
        policy |= {"start": 0.5, "end": 0.25}
    return policy


def _trained(folder: Path, data: dict[str, Any]) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    try:
        run = train(data, out=folder, progress=False)
    except UserError as error:
        if "finite" not in str(error):
            raise
    else:
        assert run.finished


@settings(FEW, max_examples=4, phases=AS_FOUND)
@given(data=tiny_runs())
def test_valid_configs_are_trained(
    tmp_path_factory: pytest.TempPathFactory, data: dict[str, Any]
) -> None:
    _trained(tmp_path_factory.getbasetemp() / "tiny", data)


@pytest.mark.slow
@settings(MANY, max_examples=500, phases=AS_FOUND)
@given(data=tiny_runs())
def test_hundreds_of_valid_configs_are_trained(
    tmp_path_factory: pytest.TempPathFactory, data: dict[str, Any]
) -> None:
    _trained(tmp_path_factory.getbasetemp() / "tiny", data)


def _by_command(marl: Command, data: Any) -> None:
    stream = io.StringIO()
    try:
        YAML().dump(data, stream)
        text = stream.getvalue().encode()
    except (ValueError, UnicodeError):
        return  # no file can hold that
    path = marl.write(text)
    before = marl.files()
    outcome = marl("config", "check", str(path))
    assert outcome.status in (0, 2), outcome
    assert "Traceback" not in outcome.err
    if outcome.status == 2:
        refused = marl("train", str(path))
        assert (refused.status, refused.err) == (2, outcome.err)
        assert marl.files() == before


@settings(FEW, max_examples=20)
@given(data=st.sampled_from(VALID).flatmap(slips))
def test_refused_configs_leave_nothing(marl: Command, data: dict[str, Any]) -> None:
    _by_command(marl, data)


@pytest.mark.slow
@settings(MANY, max_examples=1000)
@given(data=st.one_of(BY_SCHEMA, st.sampled_from(VALID).flatmap(slips)))
def test_a_thousand_refused_configs_leave_nothing(
    marl: Command, data: dict[str, Any]
) -> None:
    _by_command(marl, data)
