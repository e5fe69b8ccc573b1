"""What the figures about ADCA rest on: intervals, baselines, controls, and runs of others."""

from __future__ import annotations

import copy
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marl_core.config.run import RunConfig
from marl_core.config.yaml_file import dump_run, load_run
from marl_core.errors import UserError
from marl_core.evaluation.statistics import Interval
from marl_core.runs.folder import RunFolder
from marl_core.sweep import run_sweep
from marl_pr.paper.baselines import baseline_win_rates
from marl_pr.paper.battles import greedy_win_rate
from marl_pr.paper.control_stages import less_entropy, practised, practised_heads
from marl_pr.paper.fig4 import Fig4
from marl_pr.paper.first_stages import conc4hist
from marl_pr.paper.reproduction import Reproduction
from marl_pr.paper.scale import PAPER, SCALES, Seeds
from marl_pr.paper.second_stages import longer, resonant
from marl_pr.paper.shares import all_or_none, mean_share, share_of_trials
from marl_pr.paper.taken_runs import as_begun
from tests.support.command import Command, refused
from tests.support.paper_results import result_of
from tests.support.places import REPOSITORY
from tests.support.tiny_reproduction import TINY

FIRST = conc4hist(TINY, 120, 0)


# Intervals


def test_all_or_none_is_clopper_and_pearsons() -> None:
    """The numbers of tables: 5 of 5, and 0 of 8."""
    assert all_or_none(1.0, 5).low == pytest.approx(0.478, abs=5e-4)
    assert all_or_none(0.0, 8).high == pytest.approx(0.369, abs=5e-4)


@given(st.integers(1, 300), st.integers(0, 300))
def test_a_share_lies_in_its_interval(trials: int, successes: int) -> None:
    share = min(successes, trials) / trials
    found = share_of_trials(share, trials)
    assert 0 <= found.low <= share <= found.high <= 1
    assert found.low < found.high


@pytest.mark.parametrize(("value", "low", "high"), [(1.0, 0.158, 1), (0.0, 0, 0.842)])
def test_runs_that_all_win_have_an_interval(
    value: float, low: float, high: float
) -> None:
    runs = [result_of(conc4hist(PAPER, 120, seed), value) for seed in range(2)]
    found = mean_share(runs, greedy_win_rate)
    assert found is not None
    assert (found.low, found.high) == pytest.approx((low, high), abs=5e-4)
    other = [*runs, result_of(conc4hist(PAPER, 120, 2), 0.5)]
    assert mean_share(other, greedy_win_rate) != Interval(value, low, high)


# The settings


def test_paper_scale_is_the_example() -> None:
    """All that is learnt, but for the kernels of this machine and the number of processes."""
    ours = resonant(conc4hist(PAPER, 120, 0), PAPER, "pr_fast").job.config
    theirs = load_run(REPOSITORY / "examples/adca_fifty.yaml")
    kept = {"training"}
    one = ours.model_dump(mode="json", exclude=kept)
    other = theirs.model_dump(mode="json", exclude=kept)
    for config in (one, other):
        del config["environment"]["kernels"], config["host"]["kernels"]
    assert one == other
    for name in ("episodes_per_update", "evaluate_every", "evaluation_episodes"):
        assert getattr(ours.training, name) == getattr(theirs.training, name)


def test_each_continuation_adds_one_thing_and_is_as_long() -> None:
    first = conc4hist(PAPER, 120, 0)
    plain, practice, low = longer(first, PAPER), practised(first, PAPER), None
    low = less_entropy(first, PAPER)
    pr, fast = (resonant(first, PAPER, variant) for variant in ("pr", "pr_fast"))
    heads = practised_heads(first, PAPER)
    explored: list[dict[str, Any]] = []
    for one in (plain, low, practice, pr, fast, heads):
        assert one.job.continues == first.job.name
        assert one.job.config.stages[1].episodes == 20_480
        explored.append(one.job.config.stage_exploration(1).model_dump())
    assert explored[1] == {**explored[0], "coefficient": pytest.approx(0.005)}
    assert explored[3] == {**explored[2], "corrected": True, "p_min": 0.15}
    assert explored[4] == {**explored[3], "variant": "pr_fast"}
    assert explored[5] == {**explored[4], "corrected": False}


def test_only_the_quick_scale_says_that_it_shows_nothing() -> None:
    warned = [name for name, scale in SCALES.items() if "show nothing" in scale.warning]
    assert warned == ["quick"]


def test_teams_that_have_learnt_nothing() -> None:
    """One guard among many attackers who never wins, and one battle that all win."""
    described = FIRST.job.config.model_dump(mode="json")
    described["environment"].update(agents=2, attackers=30, max_steps=120)
    lost = baseline_win_rates(RunConfig.model_validate(described))
    assert lost.greedy.mean == 0
    assert lost.sampled.mean == 0
    described["environment"].update(agents=30, attackers=1, max_steps=1)
    won = baseline_win_rates(RunConfig.model_validate(described))
    assert won.greedy.mean == 1


# Runs of others


@pytest.fixture(scope="module")
def theirs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a finished first stage, by other kernels' name, and one that is not ours."""
    folder = tmp_path_factory.mktemp("theirs")
    described = copy.deepcopy(FIRST.job.config.model_dump(mode="json"))
    described["host"]["microbatch"] = 999
    described["training"].update(accelerator="cpu", evaluate_every=2)
    config = RunConfig.model_validate(described)
    job = FIRST.job.__class__("their name", config)
    assert run_sweep([job], folder, show_progress=False) == {}
    described["host"]["hidden"] = 16
    RunFolder(folder / "wider").create(RunConfig.model_validate(described))
    return folder


def _reproduction(folder: Path) -> Reproduction:
    runs, out = folder / "runs", folder / "out"
    return Reproduction(TINY, 1, runs, out, show_progress=False)


def test_a_finished_run_is_taken_as_first_stage(
    tmp_path: Path, theirs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = _reproduction(tmp_path)
    Reproduction(TINY, 1, made.runs, made.out).take([Fig4()], theirs)
    told = capsys.readouterr().err.splitlines()
    assert len(told) == 2
    assert "taken as" in told[0]
    assert told[1].endswith(
        f"wider: not taken, because its host.hidden is not that of {FIRST.job.name}"
    )
    target = RunFolder(made.runs / "quick" / FIRST.job.name)
    given_checkpoint = RunFolder(theirs / "their name").checkpoint
    assert target.checkpoint.read_bytes() == given_checkpoint.read_bytes()
    before = target.summary.read_bytes()
    assert made.make(Fig4()) == {}
    assert target.summary.read_bytes() == before, "it was trained again"
    continued = RunFolder(made.runs / "quick" / longer(FIRST, TINY).job.name)
    described = continued.read_config().model_dump(mode="json")
    assert described["host"]["microbatch"] == 999
    made.take([Fig4()], theirs)  # once more: it is there already


def test_a_run_that_began_elsewhere_is_no_first_stage(
    tmp_path: Path, theirs: Path
) -> None:
    made = _reproduction(tmp_path)
    given = tmp_path / "given"
    shutil.copytree(theirs / "their name", given)
    RunFolder(given).start.write_bytes(b"parameters")
    with pytest.raises(UserError, match="begun with the parameters of another run"):
        Reproduction(TINY, 1, made.runs, made.out).take([Fig4()], given)


def test_runs_go_on_as_they_were_begun(tmp_path: Path) -> None:
    jobs = Fig4().jobs(TINY, Seeds(1, 1, 1))
    assert as_begun(jobs, tmp_path) == jobs
    described = FIRST.job.config.model_dump(mode="json")
    described["host"].update(kernels="native", hidden=16)
    folder = tmp_path / FIRST.job.name
    folder.mkdir()
    other = RunConfig.model_validate(described)
    (folder / "config.yaml").write_text(dump_run(other))
    for one in as_begun(jobs, tmp_path):
        host = one.job.config.host.model_dump()
        assert host["kernels"] == "native"
        assert host["hidden"] != 16, "what changes the result is not taken over"


def test_nothing_to_take_is_one_line(
    marl: Command, theirs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(SCALES, "quick", TINY)
    command = ("reproduce", "fig4", "--scale", "quick", "--from")
    assert "there is no run here" in refused(marl, *command, "nowhere")
    told = refused(marl, *command, str(theirs / "wider"))
    assert "its host.hidden is not that of" in told
    unfinished = theirs / "their name"
    summary = unfinished / "summary.json"
    whole = summary.read_text()
    summary.write_text(json.dumps({"training_episodes": 4}))
    try:
        assert "it is not finished" in refused(marl, *command, str(unfinished))
    finally:
        summary.write_text(whole)
