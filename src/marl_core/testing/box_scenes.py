"""Scenes in boxes: what a policy or a coupling of densities may be asked about."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from hypothesis import strategies as st
from jaxtyping import Float
from torch import Tensor

from marl_core.abilities import StatesDensities
from marl_core.densities.agents import Densities
from marl_core.protocols import IndividualPolicy
from marl_core.testing.strategies import (
    progresses,
    seeds,
)
from marl_core.testing.verdicts import NotApplicableError
from marl_core.types import (
    Box,
    EnvironmentSpec,
    Moment,
    Progress,
)

#: Logarithms of standard deviations lie between these two.
_NARROW, _WIDE = -3.0, 0.0


@dataclass(frozen=True)
class BoxScene:
    """Gaussian scores of E teams, and how far the run is.

    Attributes:
        scores: D means, then D logarithms of standard deviations, ``[E, N, 2 D]``, in double
            precision.
        box: of every agent's actions.
        progress: how far the run is.
        seed: of whatever a rule draws.
    """

    scores: Float[Tensor, "E N S"]
    box: Box
    progress: Progress
    seed: int

    @property
    def spec(self) -> EnvironmentSpec:
        """What an environment gives in which such a scene may happen."""
        return EnvironmentSpec(
            agents=self.scores.shape[1],
            actions=0,
            max_steps=10,
            features=4,
            box=self.box,
        )

    @property
    def moment(self) -> Moment:
        """The moment at which the teams draw their components."""
        return Moment(self.progress, torch.device("cpu"))

    def noise(self) -> Float[Tensor, "E N D"]:
        """Standard normal noise for every agent."""
        generator = torch.Generator().manual_seed(self.seed)
        shape = (
            *self.scores.shape[:-1],
            self.box.numbers,
        )
        return torch.randn(
            shape,
            generator=generator,
            dtype=self.scores.dtype,
        )

    def repeated(self, times: int) -> BoxScene:
        """The same teams again and again.

        Args:
            times: how often.
        """
        return replace(
            self,
            scores=self.scores.repeat(times, 1, 1),
        )


def box_scenes(
    numbers: tuple[int, int] = (1, 4),
) -> st.SearchStrategy[BoxScene]:
    """Scenes of any kind.

    Args:
        numbers: the least and the greatest D.
    """
    return _box_scenes(
        st.integers(1, 3),
        st.integers(1, 4),
        st.integers(*numbers),
    )


@st.composite
def _box_scenes(
    draw: st.DrawFn,
    games: st.SearchStrategy[int],
    agents: st.SearchStrategy[int],
    numbers: st.SearchStrategy[int],
) -> BoxScene:
    seed = draw(seeds())
    generator = torch.Generator().manual_seed(seed)
    shape = (
        draw(games),
        draw(agents),
        draw(numbers),
    )
    mean = torch.randn(
        shape,
        generator=generator,
        dtype=torch.float64,
    )
    share = torch.rand(
        shape,
        generator=generator,
        dtype=torch.float64,
    )
    log_std = _NARROW + (_WIDE - _NARROW) * share
    low = draw(st.floats(-5, 5))
    width = draw(st.floats(0.5, 10))
    count = shape[-1]
    box = Box((low,) * count, (low + width,) * count)
    scores = torch.cat([mean, log_std], -1)
    return BoxScene(scores, box, draw(progresses()), seed)


def densities_in(policy: IndividualPolicy, scene: BoxScene) -> Densities:
    """What a policy says of a scene.

    Args:
        policy: is asked.
        scene: what it is asked about.

    Raises:
        NotApplicableError: it is a policy of discrete actions.
    """
    if not isinstance(policy, StatesDensities):
        raise NotApplicableError("it is a policy of discrete actions")
    return policy.densities(scene.scores, scene.progress)
