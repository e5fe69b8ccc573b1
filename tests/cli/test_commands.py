"""The commands of ``marl``, and what they print."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.metadata import EntryPoint
from typing import Any

import pytest
import typer
from ruamel.yaml import YAML

from marl_core import registry
from marl_core.base_config import KINDS
from marl_core.cli import main
from marl_core.config.schema import run_schema
from marl_core.config.yaml_file import load_run
from marl_core.training import stages
from tests.support.command import RUN, Command
from tests.support.places import EXAMPLES

EXAMPLE = EXAMPLES / "fme_pr.yaml"
SHORT = (
    "--set",
    "environment.agents=3",
    "--set",
    "stages.0.episodes=1024",
    "--set",
    "stages.1.episodes=1024",
)


def assert_is_score(score: Any, lowest: float, highest: float) -> None:
    assert score.keys() == {"exact", "greedy", "sampled"}
    assert lowest <= score["exact"] <= highest
    for mode in ("greedy", "sampled"):
        assert score[mode].keys() == {"mean", "ci95"}
        low, high = score[mode]["ci95"]
        assert lowest <= score[mode]["mean"] <= highest
        assert low <= score[mode]["mean"] <= high


def assert_is_evaluation(evaluation: Any, episodes: int) -> None:
    """The object of ``marl evaluate --json`` on 1A4B2C with three agents; a level pays 1 at most,
    Lv-B 2 by luck.
    """
    assert {"return", "levels", "episodes"} <= evaluation.keys()
    assert evaluation["episodes"] == episodes
    named = [(level.pop("name"), level.pop("kind")) for level in evaluation["levels"]]
    assert named == [
        ("A1", "A"),
        ("B1", "B"),
        ("B2", "B"),
        ("B3", "B"),
        ("B4", "B"),
        ("C1", "C"),
        ("C2", "C"),
    ]
    for level in evaluation["levels"]:
        assert_is_score(level, 0, 2)
    assert_is_score(evaluation["return"], 0, 14)
    for mode in ("greedy", "sampled"):
        total = sum(level[mode]["mean"] for level in evaluation["levels"])
        assert total == pytest.approx(evaluation["return"][mode]["mean"], rel=1e-4)
    total = sum(level["exact"] for level in evaluation["levels"])
    assert total == pytest.approx(evaluation["return"]["exact"], rel=1e-4)


def test_a_run_from_beginning_to_end(marl: Command) -> None:
    trained = marl("train", "--config", str(EXAMPLE), *SHORT)
    assert trained.status == 0, trained.err
    name = "fme_pr-agents=3-stage0.episodes=1024-stage1.episodes=1024-seed0"
    assert trained.out.endswith(f"run folder: runs/{name}\n")
    run = marl.folder / "runs" / name
    assert load_run(run / "config.yaml") == load_run(EXAMPLE, SHORT[1::2])
    summary = json.loads((run / "summary.json").read_text())
    own = {"training_episodes", "updates", "seconds", "seed", "cpu"}
    assert summary.keys() == {"return", "win_rate", "levels", "episodes"} | own
    assert summary["win_rate"] is None  # FME is neither won nor lost
    assert (summary["training_episodes"], summary["updates"], summary["seed"]) == (
        2048,
        4,
        0,
    )
    assert summary["seconds"] > 0
    written = json.loads((run / "summary.json").read_text())
    assert_is_evaluation(summary, 192)

    before = marl.files()
    evaluated = marl("evaluate", str(run), "--json")
    assert (evaluated.status, evaluated.err) == (0, "")
    assert evaluated.out.count("\n") == 1
    same = json.loads(evaluated.out)
    assert {key: written[key] for key in same} == same
    fewer = json.loads(marl("evaluate", str(run), "--json", "--episodes", "16").out)
    assert_is_evaluation(fewer, 16)
    table = marl("evaluate", str(run)).out
    assert all(
        word in table
        for word in (
            "192 test episodes",
            "exact",
            "greedy",
            "sampled",
            "A1",
            "C2",
            "return",
        )
    )
    assert marl.files() == before

    assert marl("report", str(run), "--out", "curve.png").status == 0
    assert (marl.folder / "curve.png").read_bytes().startswith(b"\x89PNG")


def test_list_names_everything(marl: Command) -> None:
    outcome = marl("list")
    assert outcome.status == 0
    rows = [
        [cell.strip() for cell in line.strip("│").split("│")[:2]]
        for line in outcome.out.splitlines()
    ]
    for kind in KINDS:
        for name in registry.names(kind):
            assert [kind, name] in rows
    assert ["environment", "fme"] in rows
    assert ["coupling", "policy_resonance"] in rows


def test_show_writes_every_default_and_is_itself_a_config(marl: Command) -> None:
    marl.write()
    shown = marl(
        "config", "show", "--config", "run.yaml", "--set", "environment.agents=4"
    )
    data = YAML(typ="safe").load(shown.out)
    assert data["environment"]["agents"] == 4
    assert data["environment"]["actions"] == 10
    assert data["host"]["gamma"] == 0.99
    assert data["stages"][1]["exploration"]["ramp_episodes"] == 50_000
    assert data["training"]["evaluate_every"] == 32
    marl.write(shown.out, "shown.yaml")
    assert marl("config", "show", "--config", "shown.yaml") == shown


def test_schema_prints_the_schema(marl: Command) -> None:
    assert json.loads(marl("config", "schema").out) == run_schema()


def hello(name: str) -> None:
    """Greet somebody."""
    typer.echo(f"hello {name}")


def _contribute(monkeypatch: pytest.MonkeyPatch, **commands: str) -> None:
    entries = {
        name: EntryPoint(name, value, "marl.commands")
        for name, value in commands.items()
    }
    monkeypatch.setattr(registry, "commands", lambda: entries)


def test_a_package_contributes_a_command(
    marl: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    _contribute(monkeypatch, hello="tests.cli.test_commands:hello")
    assert "Greet somebody." in marl("--help").out
    assert marl("hello", "world").out == "hello world\n"
    assert "tests.cli.test_commands:hello" in marl("list").out


def test_a_command_that_cannot_be_imported_breaks_no_other(
    marl: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    _contribute(monkeypatch, lost="nowhere.at_all:command")
    outcome = marl("lost")
    assert (outcome.status, outcome.out) == (2, "")
    assert (
        outcome.err
        == "cannot import the command 'lost' (nowhere.at_all:command): No module named 'nowhere'\n"
    )
    assert "Not available" in marl("--help").out
    assert marl("config", "check", "--config", str(marl.write())).status == 0


@pytest.mark.parametrize("name", ["train", "list", "evaluate", "config"])
def test_a_package_cannot_take_the_place_of_a_command(
    marl: Command, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    _contribute(monkeypatch, **{name: "tests.cli.test_commands:hello"})
    assert "Greet somebody." not in marl("--help").out
    assert "somebody" not in marl(name, "--help").out


def test_a_component_that_cannot_be_imported_breaks_no_list(
    marl: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    def entries(group: str) -> dict[str, EntryPoint]:
        return {"lost": EntryPoint("lost", "nowhere:Host", group)}

    monkeypatch.setattr(registry, "_entries", entries)
    outcome = marl("list")
    assert outcome.status == 0
    assert "cannot import host 'lost' (nowhere:Host)" in outcome.out.replace(
        "│\n│             │      │", ""
    )


def test_an_interrupted_run_says_how_to_go_on(
    marl: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*args: Any, **kwargs: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(stages, "train", interrupt)
    outcome = marl("train", "--config", str(marl.write()), "--run-dir", "out")
    assert outcome.status == 130
    assert (
        outcome.err
        == "marl: interrupted; `marl resume out` goes on from the newest checkpoint\n"
    )


def test_a_mistake_of_ours_is_not_passed_off_as_the_users(
    marl: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*args: Any, **kwargs: Any) -> None:
        raise RuntimeError("a defect")

    monkeypatch.setattr(stages, "train", fail)
    with pytest.raises(RuntimeError, match="a defect"):
        marl("train", "--config", str(marl.write()), "--run-dir", "out")


def test_a_full_disk_is_told_in_a_line(
    marl: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*args: Any, **kwargs: Any) -> None:
        raise OSError(28, "No space left on device", "out/metrics.csv")

    monkeypatch.setattr(stages, "train", fail)
    outcome = marl("train", "--config", str(marl.write()), "--run-dir", "out")
    assert (outcome.status, outcome.err) == (
        2,
        "out/metrics.csv: no space left on device\n",
    )


def test_help_needs_no_torch() -> None:
    code = (
        "import sys\nsys.argv = ['marl', '--help']\nfrom marl_core.cli import main\n"
        "try:\n    main()\nexcept SystemExit as ended:\n    assert ended.code == 0\n"
        "heavy = {'torch', 'lightning', 'matplotlib', 'numpy', 'marl_core.protocols'}\n"
        "print('heavy:', sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert "Train by a config" in done.stdout
    assert done.stdout.endswith("heavy: []\n")


def test_the_command_is_installed() -> None:
    from importlib.metadata import entry_points

    (script,) = entry_points(group="console_scripts", name="marl")
    assert script.load() is main


def test_modules_beside_the_config_can_be_named(marl: Command) -> None:
    marl.write(
        "from marl_core.exploration.entropy_sampling import EntropySampling, "
        "EntropySamplingConfig\n\n\n"
        "class MineConfig(EntropySamplingConfig):\n    extra: float = 2.0\n\n\n"
        "class Mine(EntropySampling):  # type: ignore[misc]\n    Config = MineConfig\n",
        "sub/beside_the_config.py",
    )
    marl.write(
        RUN.replace("name: entropy_sampling", "name: beside_the_config:Mine"),
        "sub/run.yaml",
    )
    shown = marl("config", "show", "--config", "sub/run.yaml")
    assert YAML(typ="safe").load(shown.out)["exploration"]["extra"] == 2.0
    assert marl("config", "check", "--config", "sub/run.yaml").status == 0


USAGE = {
    "no config": ("train",),
    "no such command": ("trian", "--config", "run.yaml"),
    "no such option": ("train", "--conf", "run.yaml"),
    "option without its value": ("train", "--config"),
    "no run": ("evaluate",),
    "too few episodes": ("evaluate", "run", "--episodes", "1"),
    "episodes no number": ("evaluate", "run", "--episodes", "many"),
    "one argument too many": ("resume", "run", "run"),
    "no such subcommand": ("config", "shwo"),
}


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("mistake", USAGE)
def test_mistakes_of_usage(marl: Command, mistake: str) -> None:
    before = marl.files()
    outcome = marl(*USAGE[mistake])
    assert outcome.status == 2
    assert outcome.out == ""
    assert "Error" in outcome.err
    assert "Traceback" not in outcome.err
    assert marl.files() == before
