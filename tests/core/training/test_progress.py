"""Progress: lines where nobody watches; on a terminal a bar, and the numbers at any width."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

from marl_core.config.run import RunConfig
from marl_core.evaluation.scores import Evaluation, Score
from marl_core.evaluation.statistics import Interval
from marl_core.runs.assembly import first_state
from marl_core.training import progress_lines
from marl_core.training.learner import Learner
from marl_core.training.pace import Pace
from marl_core.training.progress_bar import RunProgressBar
from marl_core.training.progress_lines import is_watched
from marl_core.training.progress_text import ProgressText
from marl_core.training.stages import train
from marl_core.training.watchers import Watchers
from marl_core.types import Progress
from tests.support.runs import run_data, start

TEXT = ProgressText(
    "stage 1/2", "4096/393216 episodes", "return 4.912", "12345 steps/s", "0:12:30 left"
)


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_the_pace_is_that_of_the_last_minute() -> None:
    clock = Clock()
    pace = Pace(clock)
    assert pace.steps_per_second is None
    assert pace.seconds_left(10) is None
    pace.mark(Progress())
    assert pace.steps_per_second is None
    for second in range(1, 301):
        clock.now = 100.0 + second
        # Twice as fast from the third minute on.
        episodes = second if second <= 120 else 120 + 2 * (second - 120)
        pace.mark(Progress(episodes=episodes, environment_steps=10 * episodes))
    assert pace.steps_per_second == pytest.approx(20, rel=0.02)
    assert pace.seconds_left(100) == pytest.approx(50, rel=0.02)
    assert len(pace._marks) < 70


def test_many_updates_a_second_are_not_all_kept() -> None:
    clock = Clock()
    pace = Pace(clock)
    for update in range(10_000):
        clock.now += 0.001
        pace.mark(Progress(episodes=update, environment_steps=update))
    assert len(pace._marks) < 20
    assert pace.steps_per_second == pytest.approx(1000, rel=0.05)


def test_a_line_says_everything_and_labels_the_time() -> None:
    assert TEXT.line() == (
        "stage 1/2, 4096/393216 episodes, return 4.912, 12345 steps/s, 0:12:30 left"
    )


@pytest.mark.parametrize("width", [36, 45, 60, 80])
def test_narrow_terminals_keep_the_numbers(width: int) -> None:
    shown = TEXT.numbers(width)
    assert len(shown) <= max(width, 37)
    for number in ("4096/393216", "return 4.912", "0:12:30 left"):
        assert number in shown


def test_the_win_rate_is_shown_where_games_can_be_won() -> None:
    config = RunConfig.model_validate(run_data(host="conc4hist"))
    learner = Learner(first_state(config))
    score = Score(None, Interval(0.25, 0.2, 0.3), Interval(0.5, 0.4, 0.6))
    learner.latest = Evaluation(score, (), 4, win_rate=score)
    assert ProgressText.of(learner).score == "win rate 0.25"
    learner.latest = Evaluation(score, (), 4)
    assert ProgressText.of(learner).score == "return 0.250"


def test_lines_in_a_pipe(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One at the end of a stage, and before it as often as the schedule says."""
    monkeypatch.setattr(progress_lines, "_SCHEDULE", ((float("inf"), 0.0),))
    folder = start(tmp_path / "run", run_data())
    train(folder.load_config(), folder, Watchers())
    shown = capsys.readouterr()
    assert shown.out == ""
    lines = shown.err.splitlines()
    assert len(lines) == 13 + 2
    assert lines[0].startswith("stage 1/2, 16/208 episodes, return ")
    assert lines[-1].startswith("stage 2/2, 208/208 episodes, return ")
    assert "\x1b" not in shown.err
    for line in lines:
        assert line.endswith(" left")
        assert "steps/s" in line


def test_lines_are_never_more_than_a_minute_apart() -> None:
    apart = [progress_lines._interval(since) for since in (0, 59, 61, 700, 1e9)]
    assert apart == [10, 10, 30, 60, 60]


@pytest.mark.parametrize("variable", [("TERM", "dumb"), ("CI", "true")])
def test_a_dumb_terminal_and_ci_get_lines(
    variable: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CI", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr("sys.stderr", Terminal())
    assert is_watched()
    monkeypatch.setenv(*variable)
    assert not is_watched()


class Terminal(io.StringIO):
    """Says that it is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("width", [40, 60, 100, 200])
def test_the_bar_shows_the_numbers_at_any_width(
    tmp_path: Path, width: int, capsys: pytest.CaptureFixture[str]
) -> None:
    screen = Terminal()
    console = Console(file=screen, width=width, force_terminal=True)
    folder = start(tmp_path / "run", run_data(updates=(2, 1)))
    config = folder.load_config()
    bar = RunProgressBar(config, console)
    train(config, folder, Watchers(callbacks=[bar], progress_bar=False))
    assert capsys.readouterr().err == ""
    last = [line for line in screen.getvalue().split("\n") if "48/48" in line][-1]
    assert "return" in last
    assert "0:00:00 left" in last
    assert ("steps/s" in last) == (width >= 80)
