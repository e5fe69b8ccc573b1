"""``marl diagnose``: what it prints and writes, what it refuses, and what it advises."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest

from tests.support.command import RUN, Command, refused


def test_a_config_as_text_json_and_a_picture(marl: Command) -> None:
    config = str(marl.write())
    arguments = ("diagnose", "--config", config, "--episodes", "60")
    printed = marl(*arguments, "--out", "found.png")
    assert printed.status == 0, printed.err
    assert (marl.folder / "found.png").read_bytes().startswith(b"\x89PNG")
    found = json.loads(marl(*arguments, "--json").out)
    assert found["answer"] == "unknown"
    assert found["episodes"] == 60
    assert list(found["windows"]) == ["A1", "B1", "C1"]
    for part in found["windows"].values():
        for signal in ("alone", "independent", "resonant"):
            assert len(part[signal]["mean"]) == len(part[signal]["ci95"]) == 3
    counts = found["deviators"]["independent"]
    assert sum(share["mean"] for share in counts) == pytest.approx(1)
    words = " ".join(printed.out.split())
    assert found["verdict"] in words
    assert found["next"] in printed.out


def test_a_config_that_is_unclear_is_sent_to_more_episodes(marl: Command) -> None:
    config = str(marl.write())
    chosen = ("--set", "environment.agents=4", "--train", "32", "--episodes", "60")
    found = json.loads(marl("diagnose", "--config", config, *chosen, "--json").out)
    assert [path.name for path in marl.folder.iterdir()] == [config], "nothing is left"
    program, *words = shlex.split(found["next"])
    assert program == "marl"
    assert words[:-1] == [
        *("diagnose", "--config", config, "--set", "environment.agents=4"),
        *("--train", "32", "--episodes"),
    ]
    assert int(words[-1]) > 60


def test_a_run_with_the_problem_is_sent_to_resonance(
    marl: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The advice is a config that can be run, with the run's own weights."""
    from marl_pr.diagnosis import verdict

    run = (
        RUN[: RUN.index("  - episodes: 32\n    exploration")]
        + RUN[RUN.index("training:") :]
    )
    config = str(marl.write(run))
    assert marl("train", "--config", config, "--run-dir", "a").status == 0
    monkeypatch.setattr(verdict, "_answer", lambda lost, unclear: "problem")
    found = json.loads(marl("diagnose", "a", "--episodes", "60", "--json").out)
    _, *words = shlex.split(found["next"])
    assert words[0] == "train"
    assert words[-4:] == ["--weights", "a", "--run-dir", "a-resonance"]
    outcome = marl(*words)
    assert outcome.status == 0, outcome.err
    assert "policy_resonance" in (marl.folder / "a-resonance/config.yaml").read_text()


def test_mistakes_get_one_line(marl: Command) -> None:
    config = str(marl.write())
    assert "and not both" in refused(marl, "diagnose")
    assert "and not both" in refused(marl, "diagnose", "a", "--config", config)
    assert "no run here" in refused(marl, "diagnose", "a")
    assert "--checkpoint" in refused(
        marl, "diagnose", "--config", config, "--checkpoint", "best"
    )
    assert "not for a run" in refused(marl, "diagnose", "a", "--train", "16")


def test_numbers_in_a_box_are_refused(marl: Command) -> None:
    examples = Path(__file__).parents[2] / "examples"
    for name in ("lookout.yaml", "lookout.py"):
        marl.write((examples / name).read_text(), name)
    line = refused(marl, "diagnose", "--config", "lookout.yaml")
    assert "cannot be diagnosed" in line
    assert "numbers" in line
    assert line.startswith("lookout.yaml:")
