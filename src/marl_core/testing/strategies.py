"""Hypothesis strategies: scores, masks, policies and progress, the awkward ones among them.

Hypothesis chooses the shapes, what kind of row each agent has, and a seed; the numbers come from
the seed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import torch
from hypothesis import strategies as st
from jaxtyping import Bool, Float
from torch import Tensor

from marl_core.exploration.softmax import log_softmax_policy
from marl_core.types import Observation, Progress

ScoreKind = Literal[
    "ordinary", "flat", "wide", "all_tied", "two_tied", "certain", "tiny"
]
MaskKind = Literal["all", "some", "one", "none", "dead"]

#: One stage of a schedule is this long at the most; beyond it nothing may change any more.
LONG = 10_000_000


@dataclass(frozen=True)
class ScoreBatch:
    """Scores of E teams, with the mask that an exploration would get beside them."""

    scores: Float[Tensor, "E N A"]
    legal: Bool[Tensor, "E N A"] | None

    def policy(self) -> Float[Tensor, "E N A"]:
        """The softmax of the scores over the legal actions."""
        return log_softmax_policy(self.scores, self.legal).exp()

    def game(self, index: int) -> ScoreBatch:
        """One team alone."""
        only = slice(index, index + 1)
        return ScoreBatch(
            self.scores[only], None if self.legal is None else self.legal[only]
        )


def seeds() -> st.SearchStrategy[int]:
    """Seeds of generators."""
    return st.integers(0, 2**31 - 1)


def score_batches(
    games: tuple[int, int] = (1, 3),
    agents: tuple[int, int] = (1, 8),
    actions: tuple[int, int] = (2, 12),
    *,
    masks: bool = True,
) -> st.SearchStrategy[ScoreBatch]:
    """Scores of any kind, of a number of games, agents and actions between bounds; half of them
    with masks.
    """
    return _score_batches(
        st.integers(*games), st.integers(*agents), st.integers(*actions), masks
    )


@st.composite
def _score_batches(
    draw: st.DrawFn,
    games: st.SearchStrategy[int],
    agents: st.SearchStrategy[int],
    actions: st.SearchStrategy[int],
    masks: bool,
) -> ScoreBatch:
    shape = (draw(games), draw(agents), draw(actions))
    rows = shape[0] * shape[1]
    kinds = draw(
        st.lists(st.sampled_from(get_args(ScoreKind)), min_size=rows, max_size=rows)
    )
    generator = torch.Generator().manual_seed(draw(seeds()))
    scores = torch.stack([_scores(kind, shape[2], generator) for kind in kinds]).view(
        shape
    )
    if not (masks and draw(st.booleans())):
        return ScoreBatch(scores, None)
    mask_kinds = draw(
        st.lists(st.sampled_from(get_args(MaskKind)), min_size=rows, max_size=rows)
    )
    mask = torch.stack([_mask(kind, shape[2], generator) for kind in mask_kinds]).view(
        shape
    )
    alive = torch.tensor([kind != "dead" for kind in mask_kinds]).view(shape[:2])
    return ScoreBatch(
        scores, Observation(action_mask=mask, alive=alive).legal_actions()
    )


def policies(*, masks: bool = True) -> st.SearchStrategy[Float[Tensor, "E N A"]]:
    """Individual policies: ties, probability exactly 1, illegal actions, probabilities down to
    1e-40.
    """
    return score_batches(masks=masks).map(ScoreBatch.policy)


def progresses() -> st.SearchStrategy[Progress]:
    """Any time of a run, its start and its far end among them."""
    counts = st.one_of(st.sampled_from([0, 1, LONG]), st.integers(0, LONG))
    return st.builds(
        Progress,
        episodes=counts,
        stage=st.integers(0, 2),
        stage_episodes=counts,
        environment_steps=counts,
        updates=counts,
    )


def _scores(kind: ScoreKind, actions: int, generator: torch.Generator) -> Tensor:
    normal = torch.randn(actions, generator=generator)
    best = int(torch.randint(actions, (), generator=generator))
    match kind:
        case "ordinary":
            return 2 * normal
        case "flat":
            return 0.01 * normal
        case "wide":
            return 100 * normal
        case "all_tied":
            return torch.zeros(actions)
        case "two_tied":
            normal[best] = normal[best - 1] = 4.0
            return normal
        case "certain":
            normal[best] = 10_000.0
            return normal
        case "tiny":
            return torch.where(
                torch.arange(actions) == best,
                0.0,
                -20 - 70 * torch.rand(actions, generator=generator),
            )


def _mask(kind: MaskKind, actions: int, generator: torch.Generator) -> Tensor:
    match kind:
        case "some":
            mask = torch.rand(actions, generator=generator) < 0.5
            mask[int(torch.randint(actions, (), generator=generator))] = True
            return mask
        case "one":
            return torch.arange(actions) == torch.randint(
                actions, (), generator=generator
            )
        case "none":
            return torch.zeros(actions, dtype=torch.bool)
        case "all" | "dead":
            return torch.ones(actions, dtype=torch.bool)
