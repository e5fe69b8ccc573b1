"""How runs are grouped into experiments, and what these are called."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from marl_core.errors import UserError
from marl_core.reports.reading import read_experiments
from tests.support.reported_runs import Change, agents, both, set_in


def names(paths: list[Path]) -> list[str]:
    return [experiment.name for experiment in read_experiments(paths)]


def test_runs_are_grouped_by_all_but_the_seed(made: Callable[..., Path]) -> None:
    faster: Change = lambda data: data["training"].update(evaluate_every=3, threads=2)  # noqa: E731
    paths = [made("b", 2), made("x", 1, agents(8)), made("a", 1, faster), made("c", 0)]
    experiments = read_experiments(paths)
    assert [[path.name for path in experiment.paths] for experiment in experiments] == [
        ["c", "a", "b"],
        ["x"],
    ]
    assert [result.seed for result in experiments[0].results] == [0, 1, 2]
    assert [experiment.name for experiment in experiments] == ["agents=5", "agents=8"]
    assert names(paths[:1]) == ["ppo_ma on fme"]
    shutil.copytree(paths[0], paths[0].with_name("copy"))
    with pytest.raises(
        UserError,
        match=r"copy: the same experiment with the same seed \(2\) as .*/b; give each run",
    ):
        read_experiments([*paths, paths[0].with_name("copy")])


def at_first_another_coefficient(data: dict[str, Any]) -> None:
    data["stages"][0]["exploration"] = {"name": "entropy_sampling", "coefficient": 0.3}


NAMED: dict[str, tuple[list[Mapping[str, Any]], list[str]]] = {
    "a setting": (
        [{"change": set_in("host", "epochs", value=epochs)} for epochs in (1, 2)],
        ["epochs=1", "epochs=2"],
    ),
    "two settings, of which one is enough": (
        [
            {
                "change": both(
                    agents(count), set_in("environment", "tag", value=f"1A{count}B1C")
                )
            }
            for count in (2, 3)
        ],
        ["agents=2", "agents=3"],
    ),
    "two settings that are both needed": (
        [
            {"change": both(agents(count), set_in("host", "epochs", value=epochs))}
            for count, epochs in ((5, 1), (8, 1), (8, 2))
        ],
        ["agents=5, epochs=1", "agents=8, epochs=1", "agents=8, epochs=2"],
    ),
    "who learns": (
        [
            {},
            {
                "host": "qmix",
                "change": set_in("environment", "level_index", value="one_hot"),
            },
        ],
        ["ppo_ma", "qmix"],
    ),
    "what is explored": (
        [{"second": "ppo_ma"}, {"second": "pr"}],
        ["entropy_sampling", "entropy_sampling + policy_resonance"],
    ),
    "a setting that only one kind has": (
        [{"second": "ppo_ma"}, {"second": "pr"}, {"second": "pr_fast"}],
        [
            "entropy_sampling",
            "entropy_sampling + policy_resonance, variant=pr",
            "entropy_sampling + policy_resonance, variant=pr_fast",
        ],
    ),
    "a setting said twice": (  # by both stages: the second couples the first's policy
        [
            {"change": set_in("exploration", "coefficient", value=value)}
            for value in (0.1, 0.2)
        ],
        ["coefficient=0.1", "coefficient=0.2"],
    ),
    "how long": (
        [
            {"change": set_in("stages", 1, "episodes", value=16 * updates)}
            for updates in (6, 8)
        ],
        ["stages=112 + 96", "stages=112 + 128"],
    ),
    "a name that is ambiguous": (
        [
            {"change": set_in("exploration", "coefficient", value=0.1)},
            {
                "change": both(
                    set_in("exploration", "coefficient", value=0.1),
                    at_first_another_coefficient,
                )
            },
            {"change": set_in("exploration", "coefficient", value=0.2)},
        ],
        [
            "stages.0.exploration.coefficient=0.1",
            "stages.0.exploration.coefficient=0.3",
            "stages.0.exploration.coefficient=0.2",
        ],
    ),
    "the batch": (
        [{}, {"episodes_per_update": 8}],
        ["episodes_per_update=16", "episodes_per_update=8"],
    ),
}


@pytest.mark.parametrize("case", NAMED)
def test_names_say_what_differs_and_no_more(
    made: Callable[..., Path], case: str
) -> None:
    runs, expected = NAMED[case]
    assert (
        names([made(str(index), **run) for index, run in enumerate(runs)]) == expected
    )


def test_labels_tell_every_experiment_apart(
    made: Callable[..., Path], tmp_path: Path
) -> None:
    runs = [run for cases, _ in NAMED.values() for run in cases]
    settings: dict[str, Path] = {}
    for index, run in enumerate(runs):  # some cases share a config
        path = made(str(index), **run)
        settings[(path / "config.yaml").read_text()] = path
    experiments = read_experiments(list(settings.values()))
    assert len(experiments) == len(
        {str(dict(one.results[0].labels)) for one in experiments}
    )
    labels = experiments[0].results[0].labels
    assert (labels["task"], labels["agents"]) == ("1A1B1C", 5)
    assert labels["algorithm"] == "ppo_ma+entropy_sampling+policy_resonance"
