"""Hypothesis strategies: scores, masks, policies and progress, the awkward ones among them.

Hypothesis chooses the shapes, what kind of row each agent has, and a seed; the numbers come from
the seed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, get_args

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

#: No schedule is longer than this; beyond it nothing may change any more.
LONG = 10_000_000


@dataclass(frozen=True)
class ScoreBatch:
    """Scores of E teams, with the mask that an individual policy gets with them.

    Attributes:
        scores: ``[E, N, A]``.
        legal: which actions are legal, ``[E, N, A]``; None: all of them.
    """

    scores: Float[Tensor, "E N A"]
    legal: Bool[Tensor, "E N A"] | None

    def policy(self) -> Float[Tensor, "E N A"]:
        """The softmax of the scores over the legal actions."""
        return log_softmax_policy(self.scores, self.legal).exp()

    def game(self, index: int) -> ScoreBatch:
        """One team alone.

        Args:
            index: its number.
        """
        only = slice(index, index + 1)
        legal = None if self.legal is None else self.legal[only]
        return ScoreBatch(self.scores[only], legal)


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
    """Scores of any kind; half of them with masks.

    Args:
        games: the least and the greatest E.
        agents: the least and the greatest N.
        actions: the least and the greatest A.
        masks: whether there are masks at all.
    """
    return _score_batches(
        st.integers(*games),
        st.integers(*agents),
        st.integers(*actions),
        masks,
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
    kinds = draw(_kinds(ScoreKind, shape))
    generator = torch.Generator().manual_seed(draw(seeds()))
    rows = [
        _scores(
            kind,
            shape[2],
            generator,
        )
        for kind in kinds
    ]
    scores = torch.stack(rows).view(shape)
    if not (masks and draw(st.booleans())):
        return ScoreBatch(scores, None)
    mask_kinds = draw(_kinds(MaskKind, shape))
    mask_rows = [
        _mask(
            kind,
            shape[2],
            generator,
        )
        for kind in mask_kinds
    ]
    mask = torch.stack(mask_rows).view(shape)
    alive = torch.tensor([kind != "dead" for kind in mask_kinds]).view(shape[:2])
    seen = Observation(action_mask=mask, alive=alive)
    return ScoreBatch(scores, seen.legal_actions())


def _kinds(kind: Any, shape: tuple[int, int, int]) -> st.SearchStrategy[list[Any]]:
    """A kind of row for each agent of each game."""
    rows = shape[0] * shape[1]
    one = st.sampled_from(get_args(kind))
    return st.lists(one, min_size=rows, max_size=rows)


def policies(*, masks: bool = True) -> st.SearchStrategy[Float[Tensor, "E N A"]]:
    """Individual policies, with ties, probabilities of exactly 1 and down to 1e-40.

    Args:
        masks: whether there are illegal actions in half of them.
    """
    return score_batches(masks=masks).map(ScoreBatch.policy)


def progresses() -> st.SearchStrategy[Progress]:
    """Any time of a run, its start and its far end among them."""
    counts = st.one_of(
        st.sampled_from([0, 1, LONG]),
        st.integers(0, LONG),
    )
    return st.builds(
        Progress,
        episodes=counts,
        stage=st.integers(0, 2),
        stage_episodes=counts,
        environment_steps=counts,
        updates=counts,
    )


def _scores(
    kind: ScoreKind,
    actions: int,
    generator: torch.Generator,
) -> Tensor:
    normal = torch.randn(actions, generator=generator)
    best = int(
        torch.randint(
            actions,
            (),
            generator=generator,
        )
    )
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
            normal[best] = 4.0
            normal[best - 1] = 4.0
            return normal
        case "certain":
            normal[best] = 10_000.0
            return normal
        case "tiny":
            others = -20 - 70 * torch.rand(actions, generator=generator)
            return torch.where(
                torch.arange(actions) == best,
                0.0,
                others,
            )


def _mask(
    kind: MaskKind,
    actions: int,
    generator: torch.Generator,
) -> Tensor:
    match kind:
        case "some":
            mask = torch.rand(actions, generator=generator) < 0.5
            mask[
                int(
                    torch.randint(
                        actions,
                        (),
                        generator=generator,
                    )
                )
            ] = True
            return mask
        case "one":
            only = torch.randint(actions, (), generator=generator)
            return torch.arange(actions) == only
        case "none":
            return torch.zeros(actions, dtype=torch.bool)
        case "all" | "dead":
            return torch.ones(actions, dtype=torch.bool)
