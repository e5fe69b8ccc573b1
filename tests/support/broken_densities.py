"""Policies over boxes, and couplings of them, that each break one promise."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from marl_core.capabilities import Scores
from marl_core.densities.agents import Densities
from marl_core.densities.gaussian import GaussianDensities
from marl_core.densities.law import DensityLaw, RankLaw
from marl_core.errors import UserError
from marl_core.types import Box, EnvironmentSpec, Progress
from marl_pr.density_resonance import resonant_ranks
from tests.support import broken_couplings


@dataclass(frozen=True)
class Around:
    """A squashed Gaussian; mutants change one thing."""

    inner: GaussianDensities

    @property
    def shape(self) -> tuple[int, ...]:
        return self.inner.shape

    def log_density(self, actions: Tensor) -> Tensor:
        return self.inner.log_density(actions)

    def entropy(self) -> Tensor:
        return self.inner.entropy()

    def mode(self) -> Tensor:
        return self.inner.mode()

    def rank(self, actions: Tensor) -> Tensor:
        return self.inner.rank(actions)

    def at(self, noise: Tensor) -> Tensor:
        return self.inner.at(noise)

    def divergence(self, other: Any) -> Tensor:
        return self.inner.divergence(other.inner)


class SoundDensities:
    """A policy over a box; each mutant has other densities."""

    kind: type[Around] = Around

    def __init__(self, spec: EnvironmentSpec) -> None:
        self._box = spec.box or Box.unit(1)

    @property
    def accepts(self) -> frozenset[Scores]:
        return frozenset({"gaussian"})

    def log_policy(
        self, scores: Tensor, legal: Tensor | None, progress: Progress
    ) -> Tensor:
        raise UserError("there is no table")

    def densities(self, scores: Tensor, progress: Progress) -> Densities:
        mean, log_std = scores.chunk(2, -1)
        inner = GaussianDensities(mean, log_std, *self._box.bounds(mean), squashed=True)
        return self.kind(inner)

    def entropy_coefficient(self, progress: Progress) -> float:
        return 0.0


class _NoSlope(Around):
    def log_density(self, actions: Tensor) -> Tensor:
        plain = replace(self.inner, squashed=False)
        share = (actions - plain.low) / (plain.high - plain.low)
        latent = torch.logit(share) / 2
        middle = plain.low + (plain.high - plain.low) * (latent + 1) / 2
        return plain.log_density(middle)


class _SlopeOfTheUnitBox(Around):
    def log_density(self, actions: Tensor) -> Tensor:
        half = (self.inner.high - self.inner.low) / 2
        return self.inner.log_density(actions) + half.log().sum()


class _RanksWithoutSpreads(Around):
    def rank(self, actions: Tensor) -> Tensor:
        wide = torch.zeros_like(self.inner.log_std)
        return replace(self.inner, log_std=wide).rank(actions)


class _ModeInTheMiddle(Around):
    def mode(self) -> Tensor:
        return torch.zeros_like(self.inner.mode())


class _EntropyOfTheLatentLaw(Around):
    def entropy(self) -> Tensor:
        return replace(self.inner, squashed=False).entropy()


class _DetachedSpread(Around):
    def log_density(self, actions: Tensor) -> Tensor:
        fixed = self.inner.log_std.detach()
        return replace(self.inner, log_std=fixed).log_density(actions)


class NoSlope(SoundDensities):
    kind = _NoSlope


class SlopeOfTheUnitBox(SoundDensities):
    kind = _SlopeOfTheUnitBox


class RanksWithoutSpreads(SoundDensities):
    kind = _RanksWithoutSpreads


class ModeInTheMiddle(SoundDensities):
    kind = _ModeInTheMiddle


class EntropyOfTheLatentLaw(SoundDensities):
    kind = _EntropyOfTheLatentLaw


class DetachedSpread(SoundDensities):
    kind = _DetachedSpread


class SoundCoupling(broken_couplings.Sound):
    """Resonance for densities; each mutant states another law of ranks."""

    def eta(self, progress: Progress) -> Tensor:
        return torch.tensor(0.4)

    def density_law(
        self, individual: Densities, weights: Tensor, progress: Progress
    ) -> DensityLaw:
        return DensityLaw(individual, weights, self.ranks(weights[1]))

    def ranks(self, eta: Tensor) -> RankLaw:
        return resonant_ranks(eta, 0.1)


class NotMadeUpFor(SoundCoupling):
    """The core is drawn from in resonance, and as often as ever outside of it."""

    def ranks(self, eta: Tensor) -> RankLaw:
        sound = super().ranks(eta)
        return replace(sound, inside=torch.stack([sound.core[0], sound.inside[1]]))


class OneCoreForAnother(SoundCoupling):
    """The core has another mass in resonance than outside of it."""

    def ranks(self, eta: Tensor) -> RankLaw:
        sound = super().ranks(eta)
        return replace(sound, core=sound.core * torch.tensor([1.0, 0.8]))


class CorrectsAnotherEta(SoundCoupling):
    """As if there were half as much resonance."""

    def ranks(self, eta: Tensor) -> RankLaw:
        return super().ranks(eta / 2)


class GreedyInResonance(SoundCoupling):
    """The mode itself, which has no mass to take it from."""

    def ranks(self, eta: Tensor) -> RankLaw:
        sound = super().ranks(eta)
        return replace(sound, core=sound.core * torch.tensor([1.0, 0.0]))


class MoreThanCertain(SoundCoupling):
    """The core has a probability above 1."""

    def ranks(self, eta: Tensor) -> RankLaw:
        sound = super().ranks(eta)
        return replace(sound, inside=sound.inside * 1.2)


class WeightsOfItsOwn(SoundCoupling):
    """Half and half, whatever was drawn."""

    def density_law(
        self, individual: Densities, weights: Tensor, progress: Progress
    ) -> DensityLaw:
        return DensityLaw(individual, torch.tensor([0.5, 0.5]), self.ranks(weights[1]))


class ForgetsThePolicy(SoundCoupling):
    """Other policies than it was given."""

    def density_law(
        self, individual: Densities, weights: Tensor, progress: Progress
    ) -> DensityLaw:
        assert isinstance(individual, GaussianDensities)
        narrow = replace(individual, log_std=individual.log_std - 1)
        return super().density_law(narrow, weights, progress)


POLICIES = {
    NoSlope: "log_densities_integrate_to_one",
    SlopeOfTheUnitBox: "log_densities_integrate_to_one",
    RanksWithoutSpreads: "ranks_are_those_of_the_draws",
    ModeInTheMiddle: "ranks_are_those_of_the_draws",
    EntropyOfTheLatentLaw: "entropies_are_those_of_the_draws",
    DetachedSpread: "log_densities_are_differentiable",
}
COUPLINGS = {
    NotMadeUpFor: "density_marginal_is_the_individual_density",
    OneCoreForAnother: "density_marginal_is_the_individual_density",
    CorrectsAnotherEta: "density_marginal_is_the_individual_density",
    GreedyInResonance: "density_marginal_is_the_individual_density",
    MoreThanCertain: "density_law_states_ranks_that_integrate_to_one",
    WeightsOfItsOwn: "density_law_states_ranks_that_integrate_to_one",
    ForgetsThePolicy: "density_law_states_ranks_that_integrate_to_one",
}
