"""Code blocks of README and docs: Python runs, configs are valid, commands and options exist.

The examples that blocks name are there, cut short. A block that cannot run says why, in a line
``<!-- no-run: REASON -->`` before it.
"""

from __future__ import annotations

import json
import re
import shutil
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import typer.main
from ruamel.yaml import YAML

from marl_core.cli.app import build_app
from tests.support.code_blocks import Block, blocks_of, commands_of, pages
from tests.support.command import Command
from tests.support.places import EXAMPLES, REPOSITORY

LANGUAGES = {"python", "bash", "console", "yaml", "toml", "json", "text"}
SHELL = {"bash", "console"}
#: Commands that are cheap enough to be run.
RUN = [["list"], ["--help"], ["--version"], ["config", "schema"]]
#: Commands whose config is checked.
WITH_CONFIG = [["train"], ["config", "show"], ["config", "check"]]


def _pages_with(*languages: str) -> list[Any]:
    """Each page that has blocks in one of the languages, with these blocks."""
    found = []
    for page in pages():
        blocks = [block for block in blocks_of(page) if block.language in languages]
        runnable = [block for block in blocks if block.reason is None]
        if runnable:
            name = str(page.relative_to(REPOSITORY))
            found.append(pytest.param(runnable, id=name))
    return found


@pytest.fixture(scope="session")
def short_examples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The examples, each stage two updates long; those of ADCA with small ones."""
    folder = tmp_path_factory.mktemp("documented") / "examples"
    shutil.copytree(EXAMPLES, folder, ignore=shutil.ignore_patterns("__pycache__"))
    yaml = YAML()
    for path in folder.glob("*.yaml"):
        config = yaml.load(path)
        training = config.setdefault("training", {})
        training.update(evaluation_episodes=4, threads=1, tensorboard=False)
        if config["environment"]["name"] == "adca":
            config["environment"]["max_steps"] = 6
            training.update(episodes_per_update=8, parallel_games=8)
        for stage in config["stages"]:
            stage["episodes"] = 2 * training.get("episodes_per_update", 512)
        yaml.dump(config, path)
    return folder


@pytest.fixture
def reader(
    marl: Command, short_examples: Path, monkeypatch: pytest.MonkeyPatch
) -> Command:
    """Calls ``marl`` where a reader would be: beside the examples."""
    shutil.copytree(short_examples, marl.folder / "examples")
    monkeypatch.syspath_prepend(str(marl.folder / "examples"))
    for example in EXAMPLES.glob("*.py"):
        monkeypatch.delitem(sys.modules, example.stem, raising=False)
    return marl


def test_every_block_says_its_language() -> None:
    blocks = [block for page in pages() for block in blocks_of(page)]
    assert len(blocks) > 20
    wrong = [block.place for block in blocks if block.language not in LANGUAGES]
    assert not wrong


@pytest.mark.parametrize("blocks", _pages_with("python"))
def test_python_runs(blocks: list[Block], reader: Command) -> None:
    names: dict[str, Any] = {"__name__": "__main__"}
    for block in blocks:
        code = _cut_short(block.text)
        exec(compile(code, block.place, "exec"), names)
    tests = [value for name, value in names.items() if name.startswith("test_")]
    for test in tests:
        test()


def _cut_short(code: str) -> str:
    """Sweeps with fewer seeds and processes, stages of two updates."""
    code = re.sub(r"workers=\d+", "workers=1", code)
    code = re.sub(r"for seed in range\(\d+\)", "for seed in range(2)", code)
    return re.sub(r"episodes\": \d+", 'episodes": 1024', code)


@pytest.mark.parametrize("blocks", _pages_with("yaml"))
def test_configs_are_valid(blocks: list[Block], reader: Command) -> None:
    for block in blocks:
        part = YAML(typ="safe").load(block.text)
        whole = {"environment", "host", "exploration", "stages"} <= set(part)
        base = {} if whole else YAML(typ="safe").load(EXAMPLES / "fme_ppo_ma.yaml")
        path = reader.folder / "documented.yaml"
        YAML().dump({**base, **part}, path)
        command = "check" if whole else "show"
        outcome = reader("config", command, "--config", path.name)
        assert outcome.status == 0, f"{block.place}: {outcome.err}"


@pytest.mark.parametrize("blocks", _pages_with("toml", "json"))
def test_data_is_whole(blocks: list[Block]) -> None:
    read: dict[str, Callable[[str], object]] = {
        "toml": tomllib.loads,
        "json": json.loads,
    }
    for block in blocks:
        assert read[block.language](block.text)


@pytest.mark.parametrize("blocks", _pages_with(*SHELL))
def test_commands_exist(blocks: list[Block], reader: Command) -> None:
    _save_named_configs(blocks[0].page, reader.folder)
    for block in blocks:
        for command in commands_of(block):
            _check(command, block, reader)


def _save_named_configs(page: Path, folder: Path) -> None:
    """Write the configs for which a page gives a file name, as its reader does."""
    for block in blocks_of(page):
        named = re.search(r"Save this as `([\w.]+)`", block.before)
        if named:
            (folder / named[1]).write_text(block.text)


def _check(command: list[str], block: Block, reader: Command) -> None:
    program = Path(command[0]).name or command[0]
    assert program in PROGRAMS, f"{block.place}: what is {command[0]}?"
    try:
        PROGRAMS[program](command[1:], reader)
    except AssertionError as error:
        raise AssertionError(f"{block.place}: {' '.join(command)}: {error}") from error


def _check_marl(words: list[str], reader: Command) -> None:
    path, parameters = _parsed(words)
    if path in WITH_CONFIG:
        overrides = [
            part for one in parameters["overrides"] or () for part in ("--set", one)
        ]
        # Checked in full unless that takes a device which this machine may lack.
        depth = "show" if "training.accelerator=gpu" in overrides else "check"
        config = str(parameters.get("config") or parameters["config_file"])
        outcome = reader("config", depth, "--config", config, *overrides)
        assert outcome.status == 0, outcome.err
    elif path in RUN or words in RUN:
        assert reader(*words).status == 0
    elif path == ["reproduce"]:
        from marl_pr.paper.registry import ITEMS

        assert parameters["item"] in {*ITEMS, "all"}


def _parsed(words: list[str]) -> tuple[list[str], dict[str, Any]]:
    """The path of a command and its parameters; an unknown option is an error."""
    command: Any = typer.main.get_command(build_app())
    path: list[str] = []
    words = list(words)
    while hasattr(command, "commands") and words and not words[0].startswith("-"):
        path.append(words.pop(0))
        assert path[-1] in command.commands, f"there is no command {path[-1]}"
        command = command.commands[path[-1]]
    if words in ([["--help"]], ["--version"]):
        return path, {}
    try:
        context = command.make_context(path[-1] if path else "marl", words)
    except Exception as error:
        raise AssertionError(f"{type(error).__name__}: {error}") from error
    return path, dict(context.params)


def _check_python(words: list[str], reader: Command) -> None:
    if words[0] == "-m":
        _check_tool(words[1:], reader)
        return
    if words[0] == "-c":
        compile(words[1], "-c", "exec")
        return
    script = REPOSITORY / words[0]
    if words[0].startswith("benchmarks/"):
        options = [word for word in words if word.startswith("--")]
        missing = [
            option for option in options if f'"{option}"' not in script.read_text()
        ]
        assert not missing


def _check_pip(words: list[str], reader: Command) -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    for word in words:
        for extra in re.findall(r"(?:^\.|^policy-resonance)\[(.+)\]", word):
            assert extra in project["optional-dependencies"]


def _check_tool(words: list[str], reader: Command) -> None:
    """Paths that a tool is given are there."""
    for word in words:
        if word.startswith(("tests/", "docs/", "src/")):
            assert (REPOSITORY / word).exists()


def _check_launched(words: list[str], reader: Command) -> None:
    """The command that a launcher starts is one of this project's."""
    assert "marl" in words
    _check_marl(words[words.index("marl") + 1 :], reader)


def _check_nothing(words: list[str], reader: Command) -> None:
    """What belongs to the shell."""


PROGRAMS: dict[str, Callable[[list[str], Command], None]] = {
    "marl": _check_marl,
    "python": _check_python,
    "python3": _check_python,
    "pip": _check_pip,
    "pytest": _check_tool,
    "ruff": _check_tool,
    "mypy": _check_tool,
    "mkdocs": _check_tool,
    "pre-commit": _check_tool,
    "run": _check_tool,
    **dict.fromkeys(("torchrun", "srun"), _check_launched),
    **dict.fromkeys((".", "for", "done", "fi", "[", "tensorboard"), _check_nothing),
}


def test_the_check_of_own_parts_is_an_example_that_mypy_reads() -> None:
    (block,) = (
        block
        for block in blocks_of(REPOSITORY / "docs" / "extending.md")
        if "environment_tests(" in block.text
    )
    assert block.text == (EXAMPLES / "test_custom_parts.py").read_text()


@pytest.mark.parametrize(
    "text",
    [
        "marl trian --config examples/fme_pr.yaml",
        "marl train --confg examples/fme_pr.yaml",
        "marl train --config examples/fme.yaml",
        "marl train --config examples/fme_pr.yaml --set host.hiden=4",
        "marl reproduce table7",
        "python benchmarks/fme_update.py --peers",
        "pip install -e '.[everything]'",
        "curl example",
    ],
)
def test_a_wrong_command_is_found(text: str, reader: Command) -> None:
    page = REPOSITORY / "README.md"
    block = Block(page, 1, "bash", text, reason=None, before="")
    (command,) = commands_of(block)
    with pytest.raises(AssertionError, match=r"README\.md:1"):
        _check(command, block, reader)


def test_reasons_belong_to_the_block_after_them(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "<!-- no-run: one -->\n```yaml\na: 1\n```\n\n```python\nb = 2\n```\n\n"
        "- item\n\n  <!-- no-run: two -->\n  ```toml\n  c = 3\n  ```\n"
    )
    found = [(block.language, block.text, block.reason) for block in blocks_of(page)]
    assert found == [
        ("yaml", "a: 1\n", "one"),
        ("python", "b = 2\n", None),
        ("toml", "c = 3\n", "two"),
    ]
