"""Policy resonance as a ``torch.distributions.Distribution``; torch is all that it needs.

It stands where a training loop had a ``Categorical``: it draws in resonance, and all that a learner
asks of it (``log_prob``, ``entropy``, ``mode``, a Kullback-Leibler divergence) is the individual
policies', to which Eq. 16 says that the draws are true.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any, final

import torch
from torch import Tensor
from torch.distributions import Categorical

from marl_core.joint_policy import (
    JointPolicy,
    TableSampler,
    cumulative_probabilities,
)
from marl_core.shapes import Float, Int, Shaped
from marl_pr.given_policies import (
    ArgumentError,
    as_eta,
    check_p_min,
    check_policies,
    normalised,
)
from marl_pr.resonance import draw_coin, resonate


@final
class ResonantCategorical(Categorical):
    """A team of agents that each have a ``Categorical`` policy, and share a coin.

    The last axis of the batch shape is the agents, those before it, which may be none, are the
    games. A game in resonance draws every agent's most probable action (Eq. 14, 15); the others
    draw from corrected policies (Eq. 18), agent by agent.

    Usage::

        team = ResonantCategorical(logits=logits, eta=0.5, p_min=0.1)   # logits: [E, N, A]
        actions = team.sample()                                         # [E, N]
        log_prob = team.log_prob(actions)                               # of the individual policies

    The coin is tossed anew by each ``sample``. To have it hold for an episode, draw it at the
    episode's start and give it each time::

        coin = draw_coin(eta=0.5, games=E)
        team = ResonantCategorical(logits=logits, eta=0.5, p_min=0.1, coin=coin)

    Of torch's arguments ``probs`` differs: they have to sum to 1. Torch would take logits that
    happen to be positive for weights. Half precision is answered in single precision. Illegal
    actions have a logit of -inf, or a very low one.

    Args:
        probs: individual policies pi_i, ``[*E, N, A]``, rows summing to 1.
        logits: in place of ``probs``: their logarithms, up to a constant for each agent.
        validate_args: whether values are looked at; None: yes, but while ``torch.compile``
            traces. Torch's own default is no guide: its compiler turns it off for the process.
        eta: resonance probability in [0, 1]: one for all games, or one for each, ``[*E]``.
        p_min: least probability of the greedy action when not resonated, in [0, 1): 1/A at most,
            so that Eq. 16 holds (Eq. 18).
        coin: which games are in resonance, ``[*E]``, true or 1 where they are; None: each
            ``sample`` tosses it.
        generator: randomness of the coin and of the actions; None: torch's own.

    Raises:
        ArgumentError: a ``ValueError`` of one line about ``probs``, eta, p_min, or the coin.
        ValueError: logits are no numbers; both or neither of ``probs`` and ``logits`` are given.
    """

    def __init__(
        self,
        probs: Tensor | None = None,
        logits: Tensor | None = None,
        validate_args: bool | None = None,
        *,
        eta: Float[Tensor, "*G"] | float,
        p_min: float,
        coin: Tensor | None = None,
        generator: torch.Generator | None = None,
    ) -> None:
        given = logits if probs is None else probs
        if given is None or (probs is not None and logits is not None):
            raise ArgumentError("give probs or logits, one of them")
        if validate_args is None:
            validate_args = not torch.compiler.is_compiling()
        if given.dim() < 2:
            found = list(given.shape)
            raise ArgumentError(f"policies have axes [..., agent, action], not {found}")
        if probs is not None:
            if validate_args:
                check_policies(probs)
            probs = normalised(probs)
        elif logits is not None and logits.dtype.itemsize < 4:
            logits = logits.float()
        if validate_args:
            check_p_min(p_min)
        self.p_min = p_min
        self.eta = as_eta(eta, given, validate=validate_args)
        self.coin = _as_coin(coin, given.shape[:-2])
        self.generator = generator
        super().__init__(probs, logits, validate_args)

    @cached_property
    def law(self) -> JointPolicy:
        """The law of the team's joint action (Eq. 11): its marginals, and its probabilities given
        the coin.
        """
        return resonate(self.probs, self.eta, self.p_min, validate=False)

    @cached_property
    def _sampler(self) -> TableSampler:
        games = self.batch_shape[:-1].numel()
        components = self.law.components.reshape(2, games, *self.param_shape[-2:])
        return TableSampler(cumulative_probabilities(components))

    @property
    def deterministic_sample(self) -> Int[Tensor, "*E N"]:
        """What TorchRL takes for a deterministic action: the mode, ``[*E, N]``."""
        return self.mode

    def expand(
        self, batch_shape: Any, _instance: Categorical | None = None
    ) -> ResonantCategorical:
        """The same team in more games.

        Args:
            batch_shape: games and agents, ``[*E', N]``, to which the batch shape expands. A coin
                that was given is expanded with it; without one, every game tosses its own.
            _instance: what torch gives for subclasses; there is none of this class.
        """
        cls = ResonantCategorical
        new = self._get_checked_instance(cls, _instance)  # type: ignore[no-untyped-call]
        games = torch.Size(batch_shape)[:-1]
        new.p_min, new.generator = self.p_min, self.generator
        new.eta = self.eta.expand(games) if self.eta.dim() > 0 else self.eta
        new.coin = None if self.coin is None else self.coin.expand(games)
        super().expand(batch_shape, _instance=new)  # type: ignore[no-untyped-call]
        return new

    @torch.no_grad()
    def sample(self, sample_shape: Any = ()) -> Int[Tensor, "*S N"]:
        """Joint actions, drawn in resonance.

        Args:
            sample_shape: axes before those of the games. Each sample of a game tosses a coin of its
                own, unless the coin was given: that one then holds for all of them.

        Returns:
            ``[*sample_shape, *E, N]``.
        """
        shape = self._extended_shape(torch.Size(sample_shape))
        coin = self._tossed(tuple(shape[:-1]))
        games = self.batch_shape[:-1].numel()
        row = torch.arange(games, device=coin.device)
        row = row.repeat(torch.Size(sample_shape).numel()).unsqueeze(-1)
        row = row.expand(-1, shape[-1])
        actions = self._sampler.draw(coin.flatten().long(), self.generator, row)
        return actions.view(shape)

    def log_prob(self, value: Shaped[Tensor, "*S N"]) -> Float[Tensor, "*R N"]:
        """log pi_i(u_i): of each agent's individual policy, whatever the coin.

        This is what a learner stores and takes ratios of: by Eq. 16 it is how often the agent takes
        the action, over both faces of the coin.

        Args:
            value: joint actions, ``[*S, *E, N]``, or what broadcasts against the batch shape.
        """
        return super().log_prob(value)  # type: ignore[no-untyped-call]

    def entropy(self) -> Float[Tensor, "*E N"]:
        """The entropy of each agent's individual policy, ``[*E, N]``, in nats."""
        return super().entropy()  # type: ignore[no-untyped-call]

    def _tossed(self, games: tuple[int, ...]) -> Tensor:
        if self.coin is not None:
            return self.coin.expand(games)
        return draw_coin(self.eta, games, self.generator, self.probs.device)


def _as_coin(coin: Tensor | None, games: torch.Size) -> Tensor | None:
    """The coin as a mask of the games."""
    if coin is None:
        return None
    if coin.shape != games:
        raise ArgumentError(
            f"a game's agents share one coin: its shape is that of the games, {list(games)}, "
            f"not {list(coin.shape)}"
        )
    return coin.bool()
