"""Continuations of a given team, from a file of the authors' program to the page."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import Tensor

from marl_core.capabilities import HostCapabilities
from marl_core.construction import environment_spec
from marl_core.hosts.base import HostModule
from marl_core.learning import LearningContext
from marl_core.protocols import IndividualPolicy
from marl_core.reports.tidy_file import read_tidy
from marl_core.run_state import RunState
from marl_core.runs.assembly import stage_exploration
from marl_core.sweep.jobs import checked
from marl_core.types import (
    NO_OP,
    Loss,
    Memory,
    Observation,
    ParameterGroup,
    Progress,
    Rollout,
)
from marl_pr.paper.authors_team import translated, with_our_names
from marl_pr.paper.fighting import battles_of, fighting
from marl_pr.paper.first_stages import conc4hist
from marl_pr.paper.given_team import GivenTeam
from marl_pr.paper.registry import ITEMS
from marl_pr.paper.scale import PAPER, SCALES, Seeds
from tests.support.command import Command
from tests.support.conc4hist_golden import EXCERPT, Golden
from tests.support.tiny_reproduction import TINY

ALGORITHMS = 7


@pytest.fixture
def authors_file(tmp_path: Path) -> Path:
    """A file as their program saves it: the network is one of several things in it."""
    file = tmp_path / "model.pt"
    torch.save({"policy": Golden(EXCERPT).weights(), "update": torch.tensor(3)}, file)
    return file


def test_continuations_are_second_stages_without_the_first(tmp_path: Path) -> None:
    item = GivenTeam(tmp_path / "team.pt")
    jobs = [one.job for one in item.jobs(PAPER, Seeds(1, 1, 2))]
    assert len(checked(jobs)) == len(jobs) == 2 * ALGORITHMS
    for job in jobs:
        assert job.continues is None
        assert job.weights == tmp_path / "team.pt"
        assert [stage.episodes for stage in job.config.stages] == [10_240]
        environment = job.config.environment.model_dump()
        assert (environment["attackers"], environment["max_steps"]) == (55, 180)
    stages = [job.config.stage_exploration(0) for job in jobs[:ALGORITHMS]]
    assert len({stage.model_dump_json() for stage in stages}) == ALGORITHMS


def test_translated_weights_are_those_of_our_host(authors_file: Path) -> None:
    translation = with_our_names(authors_file, authors_file.parent / "runs")
    ours = torch.load(translation)
    host = Golden(EXCERPT).host()
    assert ours.keys() == host.state_dict().keys()
    for name, value in host.state_dict().items():
        assert torch.equal(ours[name], value), name


def test_the_normaliser_keeps_what_it_has_seen() -> None:
    """With a count of zero the first update would replace the statistics."""
    theirs = {**Golden(EXCERPT).weights(), "_batch_norm.n_sample": torch.tensor([7])}
    assert int(translated(theirs)["norm.count"]) == 7


def test_other_files_stay_as_they_are(tmp_path: Path) -> None:
    file = tmp_path / "ours.pt"
    torch.save({"norm.mean": torch.zeros(3)}, file)
    assert with_our_names(file, tmp_path / "runs") == file
    assert list(tmp_path.iterdir()) == [file]


def test_from_the_authors_file_to_the_page(
    marl: Command, authors_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(SCALES, "quick", TINY)
    outcome = marl(
        *("reproduce", "given_team", "--weights", str(authors_file)),
        *("--scale", "quick", "--seeds", "2", "--workers", "1"),
    )
    assert (outcome.status, outcome.out) == (0, "reproduced/given_team/table.md\n")
    results = read_tidy(marl.folder / "reproduced" / "given_team" / "results.csv")
    assert len(results) == 2 * ALGORITHMS
    # Greedy teams of one seed are one team before anything is learnt.
    first = {(run.seed, run.metrics["greedy/return"][0]) for run in results}
    assert len(first) == 2
    page = (marl.folder / "reproduced" / "given_team" / "table.md").read_text()
    assert "marl reproduce given_team --weights model.pt --scale quick" in page
    assert "Without learning, with 95 % intervals over battles:" in page
    assert f"| as given | {2 * ALGORITHMS} |" in page
    assert "| Conc4Hist + PR-Fast | 2 |" in page
    _, fought = page.split("What the greedy teams do")
    assert fought.count("\n| ") == 3 + ALGORITHMS


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("given_team",), "given_team needs --weights FILE: the team to continue"),
        (("fig3", "--weights", "x.pt"), "--weights: only given_team begins with"),
        (("given_team", "--weights", "x.pt"), "x.pt: cannot read the weights"),
    ],
)
def test_mistakes_are_one_line(
    marl: Command, arguments: tuple[str, ...], told: str
) -> None:
    outcome = marl("reproduce", *arguments)
    assert outcome.status == 2
    assert outcome.err.startswith(told)
    assert len(outcome.err.splitlines()) == 1
    assert "given_team" not in ITEMS


class Always(HostModule):
    """Guards who all do one thing."""

    capabilities = HostCapabilities("logits", needs=frozenset())

    def __init__(self, action: int) -> None:
        super().__init__()
        self._action = action

    def scores(self, observation: Observation, memory: Memory) -> tuple[Tensor, Memory]:
        assert observation.entities is not None
        logits = torch.zeros(*observation.entities.shape[:2], 7)
        logits[..., self._action] = 9
        return logits, memory

    def losses(
        self, rollout: Rollout, policy: IndividualPolicy, context: LearningContext
    ) -> Iterator[Loss]:
        return iter(())

    def parameter_groups(self) -> list[ParameterGroup]:
        return []


@pytest.mark.parametrize("action", [NO_OP, 1, 5])
def test_what_a_team_does_is_counted(action: int) -> None:
    """Strikes are counted step by step; here they follow from the sums of a battle."""
    config = conc4hist(TINY, 120, seed=0).job.config
    settings = config.environment.model_copy(
        update={"agents": 12, "attackers": 20, "max_steps": 60}
    )
    config = config.model_copy(update={"environment": settings})
    spec = environment_spec(settings)
    exploration = stage_exploration(config, 0, spec)
    state = RunState(config, spec, Always(action), exploration, Progress())
    found = fighting(state, "greedy", battles=8)
    assert found["idle"] == float(action == NO_OP)
    assert found["drive"] == float(action == 1)
    assert found["turn"] == float(action == 5)
    assert found["roles"] == 0
    rollout = battles_of(state, "greedy", 8)
    assert rollout.won is not None
    earned = (rollout.reward * rollout.valid.unsqueeze(-1)).sum() / 8
    wins = (rollout.won & rollout.valid).sum() / 8
    expected = earned + found["lost"] / 2 - 3 * spec.agents * wins
    assert found["strikes"] == pytest.approx(float(expected), abs=1e-4)
    assert (found["strikes"] > 0) == (found["strikers"] > 0)
    assert found["strikes"] > 0 or action == 5
    assert found["steps"] == pytest.approx(float(rollout.valid.sum()) / 8)
