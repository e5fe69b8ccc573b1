"""Nothing in a config is unbounded, and no text costs more than its length."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from marl_core.base_config import MOST_TEST_EPISODES
from marl_core.config import plain_values
from marl_core.config.schema import run_schema
from marl_core.config.yaml_file import RunSource
from marl_core.errors import SeveralMistakesError, UserError, printable
from tests.support.command import RUN, Command, refused

SCHEMA = run_schema()


def _described(schema: Any, place: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every part of a schema that has a type."""
    if isinstance(schema, list):
        for index, inner in enumerate(schema):
            yield from _described(inner, f"{place}/{index}")
    if not isinstance(schema, dict):
        return
    if isinstance(schema.get("type"), str):
        yield place, schema
    for key, inner in schema.items():
        yield from _described(inner, f"{place}/{key}")


def _unbounded(schema: dict[str, Any]) -> bool:
    """Whether a number, a list or a text may be of any size."""
    if "const" in schema or "enum" in schema:
        return False
    match schema["type"]:
        case "integer" | "number":
            below = {"minimum", "exclusiveMinimum"} & set(schema)
            above = {"maximum", "exclusiveMaximum"} & set(schema)
            return not (below and above)
        case "array":
            return "maxItems" not in schema
        case "string":
            return "maxLength" not in schema and "pattern" not in schema
    return False


def test_everything_that_a_config_can_say_is_bounded() -> None:
    parts = list(_described(SCHEMA))
    assert len(parts) > 100
    assert [place for place, schema in parts if _unbounded(schema)] == []


@pytest.mark.parametrize(
    "setting",
    [
        f"environment.agents={2**63}",
        f"environment.agents={10**300}",
        f"environment.agents={'9' * 5000}",
        "environment.actions=1000000000",
        "environment.tag=99999999999A0B0C",
        f"environment.tag={'1' * 5000}A0B0C",
        "host.hidden=1000000000",
        "host.learning_rate=1e300",
        "host.learning_rate=.inf",
        "host.learning_rate=.nan",
        f"host.{'x' * 5000}=1",
        f"host.name={'x' * 5000}",
        f"seed={2**63}",
        "seed=&a [*a]",
        "seed=&a {<<: *a}",
        "stages.0.episodes=1e300",
        f"stages.{'9' * 5000}.episodes=32",
        f"stages.0.{'x.' * 5000}episodes=32",
        f"training.threads={10**6}",
        f"training.devices={10**6}",
        f"training.evaluation_episodes={10**12}",
        f"training.episodes_per_update={10**12}",
        f"training.checkpoint_every={10**30}",
        f"training.accelerator={'x' * 5000}",
        '"seed"="\\ud800"',
        'host.name="\\ud800"',
        'environment.tag="\\u001b[31m"',
        'environment.tag="a\\nb"',
        "host=" + "[" * 5000,
        "host=" + "{a: " * 40 + "1" + "}" * 40,
    ],
    ids=lambda setting: setting[:40],
)
def test_settings_beyond_any_use(marl: Command, setting: str) -> None:
    line = refused(marl, "train", str(marl.write()), "--set", setting)
    assert line.isprintable()
    assert len(line) < 2100


@pytest.mark.parametrize(
    "arguments",
    [
        ("evaluate", "run", "--episodes", str(10**12)),
        ("render", "run", "--out", "x.html", "--seed", str(2**70)),
        ("render", "run", "--out", "x.png", "--step", str(2**70)),
        ("reproduce", "table1", "--seeds", str(10**12)),
        ("reproduce", "table1", "--workers", str(10**12)),
    ],
    ids=" ".join,
)
def test_options_beyond_any_use(marl: Command, arguments: tuple[str, ...]) -> None:
    outcome = marl(*arguments)
    assert outcome.status == 2
    said = " ".join(outcome.err.replace("│", " ").split())
    assert "less than or equal to" in said or "is not in the range" in said
    assert marl.files() == {}


def _bomb(levels: int) -> str:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    for index in range(1, levels):
        inner = ", ".join([f"*a{index - 1}"] * 10)
        lines.append(f"a{index}: &a{index} [{inner}]")
    return "\n".join(lines)


def _merging_bomb(levels: int) -> str:
    lines = ["a0: &a0 {x: 1}"]
    for index in range(1, levels):
        inner = ", ".join([f"*a{index - 1}"] * 10)
        lines.append(f"a{index}: &a{index} {{<<: [{inner}]}}")
    return "\n".join(lines)


BROKEN = {
    "alias bomb": (_bomb(12), "stands for more than 100,000 values"),
    "merging bomb": (_merging_bomb(12), "stands for more than 100,000 values"),
    "list in itself": ("seed: &a [1, *a]", "*a stands inside of what it repeats"),
    "merge of itself": ("host: &a {<<: *a}", "*a stands inside of what it repeats"),
    "deep": ("a: " + "[" * 100_000, "nested too deeply"),
    "deep blocks": ("- " * 100_000, "nested too deeply"),
    "long": ("a: " + "x" * 2**20, "more than 1,048,576 letters"),
    "lone surrogate": ('name: "\\ud800"', "the letter U+D800 cannot stand in a text"),
    "escape": ('name: "\\e[31m"', "the letter U+001B cannot stand in a text"),
    "escape in a key": ('"\\e[31m": 1', "the letter U+001B cannot stand in a text"),
    "NUL": ('name: "\\0"', "the letter U+0000 cannot stand in a text"),
    "long number": (f"seed: {'9' * 400}", "a number of more than 300 digits"),
    "longer number": (f"seed: {'9' * 5000}", "4300 digits"),
    "duplicate key": ("seed: 1\nseed: 2", 'found duplicate key "seed"'),
    "tag": ("seed: !!python/name:os.system", "is not understood"),
    "tag of one's own": ("seed: !me 1", "the tag '!me' is not understood"),
    "many documents": ("a: 1\n---\n" * 1000, "but found another document"),
    "unknown alias": ("seed: *nobody", "undefined alias"),
}


@pytest.mark.parametrize("what", BROKEN)
def test_texts_that_ask_for_too_much(marl: Command, what: str) -> None:
    text, message = BROKEN[what]
    started = time.process_time()
    line = refused(marl, "train", str(marl.write(text)))
    assert message in line
    assert line.startswith("run.yaml:")
    assert time.process_time() - started < 10


def test_aliases_are_fine_as_long_as_they_are_few(marl: Command) -> None:
    text = RUN.replace("host:\n  name: ppo_ma\n", "host: &h\n  name: ppo_ma\n")
    text = text.replace("exploration:\n  name", "exploration:\n  <<: {}\n  name", 1)
    assert marl("config", "check", str(marl.write(text))).status == 0


def test_files_that_have_no_end(marl: Command) -> None:
    import os

    os.mkfifo(marl.folder / "pipe.yaml")
    for name in ("pipe.yaml", "/dev/zero", "/dev/full"):
        outcome = marl("train", name)
        assert outcome.status == 2
        assert outcome.err == f"{name}: cannot read the config: this is no file\n"


def test_a_file_of_more_bytes_than_any_config(marl: Command) -> None:
    with (marl.folder / "run.yaml").open("wb") as file:
        file.truncate(10**10)  # sparse
    outcome = marl("train", "run.yaml")
    assert outcome.status == 2
    assert "more than 4,194,304 bytes" in outcome.err


def test_values_of_python_are_looked_at_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plain_values, "MOST_VALUES", 1000)
    nested: Any = 1
    for _ in range(10_000):
        nested = [nested]
    circle: list[Any] = []
    circle.append(circle)
    for wrong in (nested, circle, "\ud800", 10**5000, [0] * 1000, {1: 2}):
        with pytest.raises(UserError):
            RunSource.of_values({"seed": wrong}).config()
        with pytest.raises(UserError, match="--set seed: "):
            RunSource.of_values({}, {"seed": wrong}).config()


def test_many_mistakes_are_told_in_part(tmp_path: Path) -> None:
    text = RUN + "".join(f"key{index}: 1\n" for index in range(1000))
    path = tmp_path / "run.yaml"
    path.write_text(text)
    with pytest.raises(SeveralMistakesError) as refusal:
        RunSource.of_file(path).config()
    assert len(refusal.value.lines) == 20


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31mred", "\\x1b[31mred"),
        ("two\nlines", "two\\nlines"),
        ("\u202edrow", "\\u202edrow"),
        ("\udcff", "\\udcff"),
        ("\x9b2J", "\\x9b2J"),
        ("größer, 大, 🙂", "größer, 大, 🙂"),
        ("x" * 3000, "x" * 2000 + "..."),
    ],
)
def test_a_line_that_is_shown_stays_a_line(text: str, shown: str) -> None:
    assert printable(text) == shown


def test_evaluating_in_python_is_bounded_too() -> None:
    from marl_core.api.run import Run

    for episodes in (-1, 0, 1, MOST_TEST_EPISODES + 1, 10**12):
        with pytest.raises(UserError, match="test episodes"):
            Run("nowhere").evaluate(episodes)
