"""Policy resonance in a training loop of one's own: torch, and no framework.

    python examples/resonance_in_plain_pytorch.py

Thirty agents cross a bridge. Each earns the team 1/30, but if all go, the bridge collapses and the
team earns nothing: one has to stay back. Exploring independently there is nearly always somebody
else who stays, so everybody learns to go. In resonance the greedy team is seen as it is.

The loop is REINFORCE with a baseline, and the lines that resonance changes are marked. PPO changes
in the same lines: what it stores is ``log_prob``, of the individual policy.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.distributions import Categorical

from marl_pr.resonant_categorical import ResonantCategorical  # resonance

AGENTS, GAMES = 30, 128
STAY, GO = 0, 1


def team_reward(actions: Tensor) -> Tensor:
    """What each game's team earns, of at most 29/30: actions ``[E, N]`` to ``[E]``."""
    going = (actions == GO).float().mean(-1)
    return going * (going < 1)


class Actor(nn.Module):
    """Shared by the agents, which it tells apart by their numbers: logits ``[N, A]``."""

    def __init__(self) -> None:
        super().__init__()
        sizes = (AGENTS, 32), (32, 2)
        self.layers = nn.Sequential(
            nn.Linear(*sizes[0]), nn.Tanh(), nn.Linear(*sizes[1])
        )

    def forward(self) -> Tensor:
        logits: Tensor = self.layers(torch.eye(AGENTS))
        return logits


def train(eta_max: float, updates: int = 300, seed: int = 0) -> float:
    """Learn, with resonance up to ``eta_max`` (0: without). What does the greedy team earn?"""
    torch.manual_seed(seed)
    actor = Actor()
    optimiser = torch.optim.Adam(actor.parameters(), lr=3e-3)
    for update in range(updates):
        logits = actor().expand(GAMES, -1, -1)
        eta = eta_max * min(1.0, 2 * update / updates)  # resonance: it rises
        # before:  team = Categorical(logits=logits)
        team = ResonantCategorical(logits=logits, eta=eta, p_min=0.2)  # resonance
        actions = team.sample()
        reward = team_reward(actions)
        advantage = (reward - reward.mean()) / (reward.std() + 1e-6)
        # Unchanged: the log-probability and the entropy are the individual policies'.
        gain = (team.log_prob(actions) * advantage.unsqueeze(-1)).mean()
        loss = -gain - 0.03 * team.entropy().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    greedy = Categorical(logits=actor()).mode  # resonance is gone
    return float(team_reward(greedy.unsqueeze(0)))


def main() -> None:
    torch.set_num_threads(1)  # the networks are small
    for name, eta_max in (("independent", 0.0), ("in resonance", 0.75)):
        earned = [f"{train(eta_max, seed=seed):.3f}" for seed in range(3)]
        print(f"{name:>12}: the greedy team earns {', '.join(earned)}, of 0.967")


if __name__ == "__main__":
    main()
