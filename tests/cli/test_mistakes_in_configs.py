"""A mistake in a config, in its file or by ``--set``: one line that says where it is and what was
meant.
"""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch

from tests.support.command import RUN, Command, refused

#: A module of the user's: an exploration for action values, and classes that are not quite one.
MODULE = """\
from typing import Any

from torch import nn

from marl_core.base_config import HostConfig, PolicyConfig
from marl_core.capabilities import HostCapabilities


class ValuesOnly:
    Config = PolicyConfig
    accepts = frozenset({"values"})

    def __init__(self, config: Any, spec: Any) -> None:
        pass

    def log_policy(self, scores: Any, legal: Any, progress: Any) -> Any:
        return scores.log_softmax(-1)

    def entropy_coefficient(self, progress: Any) -> float:
        return 0.0


class Unfinished:
    Config = PolicyConfig
    accepts = frozenset({"values"})

    def __init__(self, config: Any, spec: Any) -> None:
        pass

    def log_policy(self, scores: Any, legal: Any, progress: Any) -> Any:
        return scores.log_softmax(-1)


class Headless(nn.Module):
    Config = HostConfig
    capabilities = HostCapabilities(scores="logits")

    def __init__(self, config: Any, spec: Any, generator: Any) -> None:
        super().__init__()

    def initial_memory(self, games: int) -> Any:
        return {}

    def scores(self, observation: Any, memory: Any) -> Any: ...

    def losses(self, rollout: Any, policy: Any, context: Any) -> Any: ...

    def parameter_groups(self) -> Any:
        return []


class Far(Headless):
    capabilities = HostCapabilities(scores="logits", needs=frozenset({"entities"}))


no_class = 3
"""

# On standard error a warning would be a second line.
pytestmark = pytest.mark.filterwarnings("error")

LEVELS = "levels: [{kind: A, action: 0},\n    {kind: B, arms: [1, 2, 10]}]"


def assert_says(line: str, expected: str) -> None:
    """That the line is the expected one, or begins like it if that ends in three dots."""
    if expected.endswith("..."):
        assert line.startswith(expected.removesuffix("...")), line
    else:
        assert line == expected


def test_without_a_mistake_the_config_is_fine(marl: Command) -> None:
    outcome = marl("config", "check", "--config", str(marl.write()))
    assert (outcome.status, outcome.out, outcome.err) == (0, "run.yaml: ok\n", "")


IN_THE_FILE = {
    "unknown key": (
        "  agents: 3",
        "  agnets: 3",
        "4: environment.agnets: unknown key 'agnets', did you mean 'agents'?",
    ),
    "unknown key at the top": (
        "seed: 0",
        "sed: 0",
        "1: sed: unknown key 'sed', did you mean 'seed'?",
    ),
    "unknown key like no other": (
        "  hidden: 4",
        "  name_of_the_game: go",
        "8: host.name_of_the_game: unknown key 'name_of_the_game' (known: name, learning_rate, ...",
    ),
    "unknown key of the host": (
        "  hidden: 4",
        "  gama: 0.9",
        "8: host.gama: unknown key 'gama', did you mean 'gamma'?",
    ),
    "a key's name in version 0.1": (
        "  hidden: 4",
        "  passes: 9",
        "8: host.passes: unknown key 'passes', did you mean 'epochs'?",
    ),
    "another key's name in version 0.1": (
        "  hidden: 4",
        "  least_inside: 0.7",
        "8: host.least_inside: unknown key 'least_inside', did you mean 'min_inside_clip'?",
    ),
    "unknown key in a stage's exploration": (
        "      eta_max: 0.5",
        "      eta_mx: 0.5",
        "16: stages.1.exploration.eta_mx: unknown key 'eta_mx', did you mean 'eta_max'?",
    ),
    "unknown key of a wrapped exploration": (
        "      eta_max: 0.5",
        "      individual:\n        name: entropy_sampling\n        coeficient: 0.1",
        "18: stages.1.exploration.individual.coeficient: unknown key 'coeficient', did "
        "you mean 'coefficient'?",
    ),
    "word for a number": (
        "agents: 3",
        "agents: many",
        "4: environment.agents: a whole number is expected, found 'many'",
    ),
    "quoted number": (
        "agents: 3",
        "agents: '3'",
        "4: environment.agents: a whole number is expected, found '3'",
    ),
    "boolean for a number": (
        "agents: 3",
        "agents: true",
        "4: environment.agents: a whole number is expected, found true",
    ),
    "fraction for a whole number": (
        "agents: 3",
        "agents: 2.5",
        "4: environment.agents: a whole number is expected, found 2.5",
    ),
    "whole number in scientific notation": (
        "episodes: 32\n  - ",
        "episodes: 3.2e1\n  - ",
        "12: stages.0.episodes: a whole number is expected, found 32.0, did you mean 32?",
    ),
    "number for a string": (
        "tag: 1A1B1C",
        "tag: 111",
        "5: environment.tag: a string is expected, found 111",
    ),
    "not true, not false": (
        "tensorboard: false",
        "tensorboard: no",
        "20: training.tensorboard: true or false is expected, found 'no'",
    ),
    "no number at all": (
        "hidden: 4",
        "gamma: .nan",
        "8: host.gamma: must be a finite number, found nan",
    ),
    "mapping for a list": (
        RUN[RUN.index("stages:") : RUN.index("training:")],
        "stages: {episodes: 32}\n",
        "11: stages: a list is expected, found a mapping",
    ),
    "nothing for a mapping": (
        RUN[RUN.index("training:") :],
        "training:\n",
        "17: training: a mapping is expected, found nothing",
    ),
    "name for a mapping": (
        "host:\n  name: ppo_ma\n  hidden: 4",
        "host: ppo_ma",
        "6: host: a mapping with a 'name' is expected; did you mean {name: ppo_ma}?",
    ),
    "eta_max of 1": (
        "eta_max: 0.5",
        "eta_max: 1",
        "16: stages.1.exploration.eta_max: must be less than 1, found 1",
    ),
    "p_min below 0": (
        "eta_max: 0.5",
        "p_min: -0.1",
        "16: stages.1.exploration.p_min: must be greater than or equal to 0, found -0.1",
    ),
    "one of few words": (
        "eta_max: 0.5",
        "level: steps",
        "16: stages.1.exploration.level: must be 'episode' or 'step', found 'steps', did "
        "you mean 'step'?",
    ),
    "no precision": (
        "tensorboard: false",
        "precision: 32",
        "20: training.precision: must be '32-true', '64-true', 'bf16-mixed' or "
        "'bf16-true', found 32",
    ),
    "Lv-C alone": (
        "agents: 3",
        "agents: 1",
        "4: environment.agents: a Lv-C level needs at least 2 agents, found 1",
    ),
    "no tag": (
        "1A1B1C",
        "1A1B",
        "5: environment.tag: tag '1A1B' is not of the form 1A4B2C",
    ),
    "tag without levels": (
        "1A1B1C",
        "0A0B0C",
        "5: environment.tag: tag '0A0B0C' has no level",
    ),
    "tag of more actions than there are": (
        "tag: 1A1B1C",
        "tag: 1A1B1C\n  actions: 2",
        "5: environment.tag: tag '1A1B1C' has a Lv-B, which needs at least 3 actions, "
        "found actions: 2",
    ),
    "level of more actions than there are": (
        "tag: 1A1B1C",
        LEVELS,
        "6: environment.levels.1.arms: action 10 is beyond the last one: there are 10, from 0",
    ),
    "unknown kind of level": (
        "tag: 1A1B1C",
        "levels:\n    - {kind: A, action: 0}\n    - {kind: D, action: 0}",
        "7: environment.levels.1.kind: must be one of 'A', 'B', 'C', found 'D'",
    ),
    "unknown key of a level": (
        "tag: 1A1B1C",
        "levels:\n    - {kind: B, arms: [1, 2, 3],\n       probabilites: [1, 0, 0]}",
        "7: environment.levels.0.probabilites: unknown key 'probabilites', did you mean "
        "'probabilities'?",
    ),
    "tag and levels": (
        "tag: 1A1B1C",
        f"tag: 1A\n  {LEVELS}",
        "2: environment: give either 'tag' or 'levels'",
    ),
    "missing host": (
        RUN[RUN.index("host:") : RUN.index("exploration:")],
        "",
        "1: 'host' is missing",
    ),
    "missing key": ("  agents: 3\n", "", "2: environment: 'agents' is missing"),
    "missing name": (
        "name: ppo_ma\n  ",
        "",
        "6: host: 'name' is missing: which host? (known: ...",
    ),
    "no stages": (
        RUN[RUN.index("\n  - ep") : RUN.index("\ntraining")],
        " []",
        "11: stages: at least 1 needed, found 0",
    ),
    "unknown component": (
        "ppo_ma",
        "ppo_m",
        "7: host.name: unknown host 'ppo_m', did you mean 'ppo_ma'?",
    ),
    "number for a name": ("ppo_ma", "3", "7: host.name: a name was expected, found 3"),
    "component like no other": (
        "fme",
        "zzz",
        "3: environment.name: unknown environment 'zzz' (known: ...",
    ),
    "component of another kind": (
        "ppo_ma",
        "marl_envs.fme:FME",
        "7: host.name: 'marl_envs.fme:FME' is no host (HostAlgorithm): 'initial_memory' "
        "is missing, ...",
    ),
    "no class": (
        "ppo_ma",
        "mine:no_class",
        "7: host.name: 'mine:no_class' is no host: it is not a class",
    ),
    "module that is not there": (
        "ppo_ma",
        "nowhere.at_all:Host",
        "7: host.name: cannot import host 'nowhere.at_all:Host': No module named 'nowhere'",
    ),
    "class that is not there": (
        "ppo_ma",
        "mine:Headles",
        "7: host.name: module 'mine' has no 'Headles', did you mean 'Headless'?",
    ),
    "name of no form": (
        "ppo_ma",
        "a-b:c",
        "7: host.name: 'a-b:c' is not of the form package.module:Class",
    ),
    "module that does not parse": (
        "ppo_ma",
        "broken:Host",
        "7: host.name: cannot import host 'broken:Host': SyntaxError: invalid syntax "
        "(broken.py, line 2)",
    ),
    "class that is not whole": (
        "entropy_sampling",
        "mine:Unfinished",
        "10: exploration.name: 'mine:Unfinished' is no exploration (IndividualPolicy): "
        "'entropy_coefficient' is missing",
    ),
    "host and exploration do not fit": (
        "name: entropy_sampling",
        "name: mine:ValuesOnly",
        "9: exploration: host 'ppo_ma' gives logits, but exploration 'mine:ValuesOnly' "
        "takes values",
    ),
    "host and a stage's exploration do not fit": (
        "name: policy_resonance\n      eta_max: 0.5",
        "{name: policy_resonance, individual: {name: mine:ValuesOnly}}",
        "14: stages.1.exploration: host 'ppo_ma' gives logits, but exploration "
        "'policy_resonance' takes values",
    ),
    "host and environment do not fit": (
        "ppo_ma\n  hidden: 4",
        "mine:Far",
        "7: host.name: host 'mine:Far' needs entities observations, which environment "
        "'fme' does not give",
    ),
    "host and what a stage does to it do not fit": (
        RUN[RUN.index("ppo_ma") :],
        RUN[RUN.index("ppo_ma") :]
        .replace("ppo_ma\n  hidden: 4", "mine:Headless")
        .replace("eta_max: 0.5", "variant: pr_fast"),
        "13: stages.1.exploration: exploration 'policy_resonance' needs a policy head "
        "for each agent, "
        "and host 'mine:Headless' has no policy head that could be copied",
    ),
    "episodes no multiple of the batch": (
        "- episodes: 32\n    exp",
        "- episodes: 33\n    exp",
        "13: stages.1.episodes: 33 is no multiple of training.episodes_per_update (16); 32 is",
    ),
    "batch that devices cannot share": (
        "tensorboard: false",
        "devices: 3",
        "20: training.devices: 3 devices cannot share training.episodes_per_update (16) equally",
    ),
    "more games than episodes": (
        "tensorboard: false",
        "parallel_games: 17",
        "20: training.parallel_games: 17 is more than training.episodes_per_update (16)",
    ),
    "games that devices cannot share": (
        "tensorboard: false",
        "devices: 2\n  parallel_games: 5",
        "21: training.parallel_games: 2 devices cannot share 5 games equally",
    ),
    "no such accelerator": (
        "tensorboard: false",
        "accelerator: abacus",
        "17: training: Lightning refuses accelerator, devices, strategy or precision: ...",
    ),
    "no such strategy": (
        "tensorboard: false",
        "strategy: win",
        "17: training: Lightning refuses accelerator, devices, strategy or precision: ...",
    ),
    "strategy without its accelerator": (
        "tensorboard: false",
        "strategy: fsdp",
        "17: training: Lightning refuses accelerator, devices, strategy or precision: ...",
    ),
    "package that is not installed": (
        "tensorboard: false",
        "accelerator: tpu",
        "17: training: Lightning refuses accelerator, devices, strategy or precision: ...",
    ),
    "broken YAML": (
        "agents: 3",
        "agents: [3",
        "5: broken YAML: expected ',' or ']', but got ':'",
    ),
    "tab": (
        "  agents: 3",
        "\tagents: 3",
        "4: broken YAML: found character '\\t' that cannot start any token",
    ),
    "duplicate key": (
        "agents: 3",
        "agents: 3\n  agents: 4",
        '5: broken YAML: found duplicate key "agents" with value "4" (original value: "3")',
    ),
    "unknown alias": (
        "agents: 3",
        "agents: *many",
        "4: broken YAML: found undefined alias 'many'",
    ),
    "tag of YAML's": (
        "agents: 3",
        "agents: !!python/object/apply:os.system [ls]",
        "4: broken YAML: the tag 'tag:yaml.org,2002:python/object/apply:os.system' is "
        "not understood",
    ),
    "two documents": (
        "host:\n",
        "---\nhost:\n",
        "6: broken YAML: expected a single document in the stream but found another document",
    ),
    "no day": (
        "agents: 3",
        "agents: 2024-99-99",
        "1: broken YAML: month must be in 1..12",
    ),
    "nested too deeply": (
        "agents: 3",
        "agents: " + "[" * 700,
        "4: broken YAML: nested too deeply",
    ),
}


@pytest.mark.parametrize("mistake", IN_THE_FILE)
def test_mistakes_in_the_file(marl: Command, mistake: str) -> None:
    right, wrong, expected = IN_THE_FILE[mistake]
    assert right in RUN
    marl.write(MODULE, "mine.py")
    marl.write("x = 1\nclass class\n", "broken.py")
    line = refused(
        marl,
        "train",
        "--config",
        str(marl.write(RUN.replace(right, wrong, 1))),
        "--run-dir",
        "out",
    )
    assert_says(line, f"run.yaml:{expected}")


def test_more_memory_than_there_is(marl: Command) -> None:
    line = refused(
        marl,
        "train",
        "--config",
        str(marl.write()),
        "--set",
        "host.hidden=1000000",
    )
    assert_says(line, "not enough memory for a run of this size: ...")


def test_an_accelerator_that_is_not_there(marl: Command) -> None:
    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    line = refused(
        marl,
        "config",
        "check",
        "--config",
        str(marl.write()),
        "--set",
        "training.accelerator=gpu",
    )
    place = "run.yaml:17 with --set training.accelerator: training: "
    assert line.startswith(
        place + "Lightning refuses accelerator, devices, strategy or precision: "
    )
    assert "No supported gpu backend found!" in line
    assert line.endswith(
        "; there is no GPU here: `accelerator: auto` takes what there is"
    )


def test_every_mistake_has_its_line(marl: Command) -> None:
    marl.write(
        RUN.replace("agents: 3", "agents: no")
        .replace("hidden: 4", "hiden: 4")
        .replace("0.5", "5")
    )
    outcome = marl("train", "--config", "run.yaml")
    assert outcome.status == 2
    assert sorted(line.split(": ")[0] for line in outcome.err.splitlines()) == [
        "run.yaml:16",
        "run.yaml:4",
        "run.yaml:8",
    ]


TOP = "run.yaml:1: a mapping with environment, host, exploration and stages is expected, found"
FILES: dict[str, tuple[str | bytes, str]] = {
    "empty file": ("", f"{TOP} an empty file"),
    "comment alone": ("# nothing\n", f"{TOP} an empty file"),
    "list at the top": ("- 1\n", f"{TOP} a list"),
    "word": ("hello\n", f"{TOP} a single value"),
    "other encoding": (
        b"seed: 0\n# caf\xe9\n",
        "run.yaml:2: cannot read the config: this is no UTF-8 text",
    ),
    "control character": (
        "seed: \x00\n",
        "run.yaml:1: broken YAML: unacceptable character #x0000...",
    ),
}


@pytest.mark.parametrize("mistake", FILES)
def test_files_that_are_no_config(marl: Command, mistake: str) -> None:
    content, expected = FILES[mistake]
    assert_says(refused(marl, "train", "--config", str(marl.write(content))), expected)


def test_files_that_are_not_there(marl: Command) -> None:
    (marl.folder / "folder").mkdir()
    missing = "missing.yaml: cannot read the config: no such file or directory"
    assert refused(marl, "train", "--config", "missing.yaml") == missing
    assert (
        refused(marl, "train", "--config", "folder")
        == "folder: cannot read the config: is a directory"
    )


ANCHORS = """\
stages:
  - &first {episodes: 32,
     exploration: &resonance {name: policy_resonance,
        eta_max: 0.5}}
  - <<: *first
    episodes: 32
  - {episodes: 32, exploration: *resonance}
environment: {name: fme, agents: 3, tag: 1A1B1C}
host: {name: ppo_ma}
exploration: {name: entropy_sampling}
training: {episodes_per_update: 16}
"""


@pytest.mark.parametrize(
    ("wrong", "message"),
    [("eta_max: 5", "must be less than 1"), ("eta_mx: 0.5", "unknown key")],
)
def test_lines_through_anchors(marl: Command, wrong: str, message: str) -> None:
    """What an alias or a merge repeats is a mistake in each place, always at the line where it is
    written.
    """
    outcome = marl(
        "config",
        "check",
        "--config",
        str(marl.write(ANCHORS.replace("eta_max: 0.5", wrong))),
    )
    assert outcome.status == 2
    key = wrong.split(":")[0]
    places = [f"run.yaml:4: stages.{stage}.exploration.{key}" for stage in range(3)]
    assert [line.rsplit(": ", 1)[0] for line in outcome.err.splitlines()] == places
    assert outcome.err.count(message) == 3


def test_the_line_of_what_was_merged(marl: Command) -> None:
    marl.write(
        ANCHORS.replace("    episodes: 32\n", "    extra: 1\n").replace(
            "{episodes: 32,\n", "{episodes: 33,\n"
        )
    )
    outcome = marl(
        "config", "check", "--config", "run.yaml", "--set", "stages.0.episodes=32"
    )
    assert (outcome.status, outcome.err) == (
        2,
        "run.yaml:6: stages.1.extra: unknown key 'extra' (known: episodes, exploration)\n",
    )
    marl.write(
        ANCHORS.replace("    episodes: 32\n", "").replace(
            "{episodes: 32,\n", "{episodes: 33,\n"
        )
    )
    line = refused(
        marl, "config", "check", "--config", "run.yaml", "--set", "stages.0.episodes=32"
    )
    assert (
        line == "run.yaml:2: stages.1.episodes: 33 is no multiple of "
        "training.episodes_per_update (16); 32 is"
    )


def test_lines_of_flow_style_and_of_what_a_merge_overrides(marl: Command) -> None:
    marl.write(ANCHORS.replace("    episodes: 32\n", "    episodes: 33\n"))
    assert refused(marl, "config", "check", "--config", "run.yaml").startswith(
        "run.yaml:6: stages.1.episodes: 33 is no"
    )


SET = {
    "no value": (
        "environment.agents",
        "--set environment.agents: dotted.key=value is expected",
    ),
    "no key": ("=3", "--set =3: dotted.key=value is expected"),
    "gap in the key": (
        "environment..agents=3",
        "--set environment..agents=3: dotted.key=value is expected",
    ),
    "broken value": (
        "host.hidden=[4",
        "--set host.hidden=[4: broken YAML: expected ',' or ']', but got '<stream end>'",
    ),
    "unknown key": (
        "environment.agnets=4",
        "--set environment.agnets: unknown key 'agnets', did you mean 'agents'?",
    ),
    "unknown key on the way": (
        "trianing.devices=1",
        "--set trianing.devices: unknown key 'trianing', did you mean 'training'?",
    ),
    "index too large": (
        "stages.2.episodes=32",
        "--set stages.2.episodes: stages is a list of 2, counted from 0, so there is no '2' in it",
    ),
    "index no number": (
        "stages.last.episodes=32",
        "--set stages.last.episodes: stages is a list of 2, counted from 0, so there is "
        "no 'last' in it",
    ),
    "negative index": (
        "stages.-1.episodes=32",
        "--set stages.-1.episodes: stages is a list of 2, counted from 0, so there is no "
        "'-1' in it",
    ),
    "index of another script": (
        "stages.².episodes=32",
        "--set stages.².episodes: stages is a list of 2, counted from 0, so there is no '²' in it",
    ),
    "below a value": (
        "environment.agents.few=3",
        "--set environment.agents.few: environment.agents is a single value, so there is "
        "no 'few' in it",
    ),
    "wrong type": (
        "environment.agents=few",
        "--set environment.agents: a whole number is expected, found 'few'",
    ),
    "out of range": (
        "stages.1.exploration.eta_max=1",
        "--set stages.1.exploration.eta_max: must be less than 1, found 1",
    ),
    "inside of a value": (
        "host={name: ppo_ma, hiden: 4}",
        "--set host: host.hiden: unknown key 'hiden', did you mean 'hidden'?",
    ),
    "with the rest of the file": (
        "environment.agents=1",
        "--set environment.agents: a Lv-C level needs at least 2 agents, found 1",
    ),
    "that the file contradicts": (
        "environment.levels=[{kind: A, action: 0}]",
        "run.yaml:2 with --set environment.levels: environment: give either 'tag' or 'levels'",
    ),
    "a multiple": (
        "stages.0.episodes=40",
        "--set stages.0.episodes: 40 is no multiple of training.episodes_per_update (16); 32 is",
    ),
}


@pytest.mark.parametrize("mistake", SET)
def test_mistakes_on_the_command_line(marl: Command, mistake: str) -> None:
    override, expected = SET[mistake]
    assert (
        refused(marl, "train", "--config", str(marl.write()), "--set", override)
        == expected
    )


def test_an_override_answers_for_what_it_said_alone(marl: Command) -> None:
    marl.write(RUN.replace("1A1B1C", "1A1B"))
    both = ("--set", "environment.level_index=one_hot", "--set", "environment.agents=4")
    line = refused(marl, "train", "--config", "run.yaml", *both)
    assert line == "run.yaml:5: environment.tag: tag '1A1B' is not of the form 1A4B2C"
    fixed = marl(
        "config",
        "check",
        "--config",
        "run.yaml",
        *both,
        "--set",
        "environment.tag=1A1B1C",
    )
    assert fixed.status == 0


def test_the_last_override_wins_and_answers(marl: Command) -> None:
    marl.write()
    line = refused(
        marl,
        "train",
        "--config",
        "run.yaml",
        "--set",
        "host.hidden=8",
        "--set",
        "host={name: ppo_ma, clip: 2}",
    )
    assert line == "--set host: host.clip: must be less than 1, found 2"
    line = refused(
        marl,
        "train",
        "--config",
        "run.yaml",
        "--set",
        "host={name: ppo_ma, clip: 2}",
        "--set",
        "host.clip=3",
    )
    assert line == "--set host.clip: must be less than 1, found 3"


def test_in_a_process_of_its_own(marl: Command) -> None:
    marl.write(RUN.replace("agents: 3", "agnets: 3"))
    command = [
        sys.executable,
        "-c",
        "from marl_core.cli import main; main()",
        "train",
        "--config",
        "run.yaml",
    ]
    done = subprocess.run(
        command, capture_output=True, text=True, cwd=marl.folder, check=False
    )
    expected = (
        "run.yaml:4: environment.agnets: unknown key 'agnets', did you mean 'agents'?\n"
    )
    assert (done.returncode, done.stdout, done.stderr) == (2, "", expected)
    assert list(marl.files()) == ["run.yaml"]
