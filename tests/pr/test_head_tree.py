"""Heads that part step by step: the tree, what agents of a group share, and resuming among it."""

from __future__ import annotations

import copy
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from marl_core.config.run import RunConfig
from marl_core.errors import UserError
from marl_core.hosts.networks import Dense
from marl_core.runs.assembly import first_state
from marl_core.training.learner import Learner
from marl_core.types import Progress
from marl_pr.coupling import PolicyResonance, PolicyResonanceConfig
from marl_pr.head_tree import groups_at, levels
from tests.support.resuming import interrupted
from tests.support.runs import SECOND_STAGES, differences, outcome, run_data

#: Heads part after updates 2, 4 and 6 of the stage, of which five agents have a head each.
TREE = {**SECOND_STAGES["pr_fast"], "heads": "tree", "split_episodes": 32}
#: Checkpoints of the second stage are written after its updates 2, 5 and 8.
CRASHES = {
    "at a split": (Learner, "training_step", 9, True),
    "between splits": (Learner, "training_step", 12, True),
    "after the last split": (Learner, "training_step", 15, False),
}
TEAMS = st.integers(1, 300)


def tree_data(host: str = "ppo_ma") -> dict[str, Any]:
    data = run_data(updates=(7, 8), host=host)
    data["stages"][1]["exploration"] = copy.deepcopy(TREE)
    return data


@given(TEAMS, st.integers(0, 12))
def test_all_agents_share_a_head_then_half_of_them_and_so_on(
    agents: int, level: int
) -> None:
    groups = groups_at(level, agents)
    sizes = Counter(groups).values()
    assert len(groups) == agents
    assert len(sizes) == min(2**level, agents)
    assert max(sizes) - min(sizes) <= 1
    coarse: dict[int, set[int]] = {}
    for fine, whole in zip(groups_at(level + 1, agents), groups, strict=True):
        coarse.setdefault(fine, set()).add(whole)
    assert all(len(of) == 1 for of in coarse.values()), "a group was not only divided"


@given(TEAMS)
def test_in_the_end_every_agent_has_its_own(agents: int) -> None:
    last = levels(agents)
    assert len(set(groups_at(last, agents))) == agents
    assert last == 0 or len(set(groups_at(last - 1, agents))) < agents


@given(st.integers(2, 60), st.integers(1, 200), st.integers(0, 2000))
def test_groups_follow_from_the_episodes_of_the_stage(
    agents: int, split_episodes: int, episodes: int
) -> None:
    tree = PolicyResonance(
        variant="pr_fast", heads="tree", split_episodes=split_episodes
    )
    found = tree.head_groups(agents, Progress(stage_episodes=episodes))
    assert found == groups_at(episodes // split_episodes, agents)
    own = PolicyResonance(variant="pr_fast").head_groups(agents, Progress())
    assert own == tuple(range(agents))


@pytest.mark.parametrize(
    "host",
    [
        "ppo_ma",
        pytest.param("qmix", marks=pytest.mark.slow),
        pytest.param("conc4hist", marks=pytest.mark.slow),
    ],
)
def test_a_group_has_one_head_and_a_resumed_run_is_the_same(
    tmp_path: Path, host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After each update; the run that crashed at three places ends as the one that did not."""
    seen: list[tuple[int, int]] = []
    original = Learner.training_step

    def watched(self: Learner, batch: object, index: int) -> None:
        original(self, batch, index)
        if self.progress.stage == 1:
            seen.append(_heads_and_groups(self))

    monkeypatch.setattr(Learner, "training_step", watched)
    whole = interrupted(tmp_path / "whole", tree_data(host))
    assert len(seen) == 8
    assert all(heads == groups for heads, groups in seen)
    assert seen[0][1] == 1
    monkeypatch.undo()
    for name, crash in CRASHES.items():
        cut = interrupted(tmp_path / name, tree_data(host), crash)
        assert not differences(outcome(whole), outcome(cut)), name


def _heads_and_groups(learner: Learner) -> tuple[int, int]:
    """How many different heads there are, and how many there should be.

    The heads of each group are equal.
    """
    coupling = learner.exploration.coupling
    assert isinstance(coupling, PolicyResonance)
    layers = [
        module
        for module in learner.modules()
        if isinstance(module, Dense) and module.groups is not None
    ]
    agents = len(layers[0].weight)
    groups = coupling.head_groups(agents, learner.progress)
    heads = torch.cat([layer.weight.flatten(1) for layer in layers], 1).tolist()
    by_group: dict[int, list[float]] = {}
    for group, head in zip(groups, heads, strict=True):
        assert by_group.setdefault(group, head) == head
    before = coupling.head_groups(agents, _an_update_ago(learner.progress))
    different = {tuple(head) for head in heads}
    return len(different), len(set(before))


def _an_update_ago(progress: Progress) -> Progress:
    return Progress(stage_episodes=progress.stage_episodes - 16)


def test_a_tree_is_of_pr_fast() -> None:
    with pytest.raises(ValueError, match="needs variant: pr_fast"):
        PolicyResonanceConfig(heads="tree")


def test_heads_that_are_apart_are_not_joined() -> None:
    data = tree_data()
    second = data["stages"][1]
    data["stages"].insert(1, {**second, "exploration": SECOND_STAGES["pr_fast"]})
    with pytest.raises(UserError, match="stage 1 has given them heads of their own"):
        first_state(RunConfig.model_validate(data))
