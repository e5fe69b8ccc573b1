"""The same PPO update, written the way it is usually written: the network on every sample, autograd, torch's Adam."""

from __future__ import annotations

import time
from typing import Any

import torch
from torch import Tensor, nn

from marl_core.collection.collector import Collector
from marl_core.config.run import RunConfig
from marl_core.hosts.networks import Dense, Stack
from marl_core.hosts.ppo.ppo_ma import PPOMA
from marl_core.registry import build
from marl_core.rng import Generators
from marl_core.training import stages
from marl_core.training.optimizer import FlatAdam
from marl_core.training.ranks import SingleRank
from marl_core.types import Rollout


def compare(config: RunConfig, our_seconds: float) -> dict[str, Any]:
    """Time a plain update on a rollout of ours; assert that both end with the same weights."""
    host, exploration, progress = stages.prepare(config)
    assert isinstance(host, PPOMA)
    streams = Generators(config.seed, 0, "cpu")
    games = config.training.episodes_per_update
    environment = build(
        "environment",
        config.environment,
        games=games,
        device="cpu",
        generator=streams["environment"],
    )
    rollout = Collector(environment, streams["exploration"]).collect(
        host, exploration, progress
    )
    plain = _PlainNetwork(host)

    features = rollout.rows().features
    assert features is not None
    started = time.perf_counter()
    _plain_update(plain, features, rollout, host.config)
    seconds = time.perf_counter() - started

    optimizer = FlatAdam(host.parameter_groups())
    for loss in host.losses(rollout, exploration, SingleRank()):
        optimizer.set_gradients(optimizer.gradients_of(loss.total))
        optimizer.step()
    ours = _PlainNetwork(host)
    difference = float((ours.weights() - plain.weights()).abs().max())
    assert difference < 1e-4, f"the two updates end {difference} apart"
    return {
        "what": "plain PyTorch, every sample, learning alone (no collection)",
        "seconds": seconds,
        "times as long as our whole update": seconds / our_seconds,
        "greatest difference between the weights": difference,
    }


def _plain(*stacks: Stack) -> nn.Sequential:
    """The stacks as ``nn.Linear`` layers; a layer that knows the agent gets the one-hot as further inputs."""
    layers: list[nn.Module] = []
    for layer in (layer for stack in stacks for layer in stack.layers):
        assert isinstance(layer, Dense)
        identity = (
            layer.weight.new_zeros(0, layer.weight.shape[1])
            if layer.identity is None
            else layer.identity
        )
        joined = torch.cat([layer.weight, identity]).detach()
        linear = (
            _WithIdentity(*joined.shape)
            if layer.identity is not None
            else nn.Linear(*joined.shape)
        )
        linear.weight.data, linear.bias.data = (
            joined.T.clone(),
            layer.bias.detach().clone(),
        )
        layers += [linear, nn.ReLU()] if layer.relu else [linear]
    return nn.Sequential(*layers)


class _WithIdentity(nn.Linear):
    """A linear layer on the input beside the agents' one-hot identities."""

    def forward(self, inputs: Tensor) -> Tensor:
        agents = inputs.shape[-2]
        one_hot = torch.eye(agents).expand(*inputs.shape[:-1], agents)
        return super().forward(torch.cat([inputs, one_hot], dim=-1))


class _PlainNetwork(nn.Module):
    """A host's networks as plain layers, weights copied."""

    def __init__(self, host: PPOMA) -> None:
        super().__init__()
        self.encoder, self.actor, self.critic = (
            _plain(host.encoder),
            _plain(host.body, host.head),
            _plain(host.critic),
        )

    def log_policy(self, features: Tensor) -> Tensor:
        return self.actor(self.encoder(features)).log_softmax(-1)

    def value(self, features: Tensor) -> Tensor:
        return self.critic(self.encoder(features)).squeeze(-1)

    def policy_parameters(self) -> list[nn.Parameter]:
        return [*self.encoder.parameters(), *self.actor.parameters()]

    def weights(self) -> Tensor:
        return torch.cat([p.detach().flatten() for p in self.parameters()])


def _plain_update(
    network: _PlainNetwork, table: Tensor, rollout: Rollout, config: Any
) -> None:
    situation = rollout.observations.row
    assert situation is not None
    features = table[situation, torch.arange(situation.shape[-1])]
    with torch.no_grad():
        values = network.value(features)
        old = (
            network.log_policy(features)
            .gather(-1, rollout.actions.unsqueeze(-1))
            .squeeze(-1)
        )
        advantage, advantages = torch.zeros_like(values[0]), torch.empty_like(values)
        for t in reversed(range(len(values))):
            following = (
                values[t + 1] if t + 1 < len(values) else torch.zeros_like(values[0])
            )
            delta = rollout.reward[t] + config.gamma * following - values[t]
            advantage = advantages[t] = (
                delta + config.gamma * config.gae_lambda * advantage
            )
        returns = advantages + values
        advantages = (advantages - advantages.mean()) / (
            advantages.std(correction=0) + 1e-8
        )
    optimizer = torch.optim.Adam(
        [
            {"params": network.policy_parameters(), "lr": config.learning_rate},
            {
                "params": list(network.critic.parameters()),
                "lr": config.learning_rate * config.critic_rate_factor,
            },
        ]
    )
    for _ in range(config.passes):
        log_policy = network.log_policy(features)
        ratio = (
            log_policy.gather(-1, rollout.actions.unsqueeze(-1)).squeeze(-1) - old
        ).exp()
        clipped = torch.minimum(
            ratio * advantages,
            ratio.clamp(1 - config.clip, 1 + config.clip) * advantages,
        )
        dual = torch.where(
            advantages < 0,
            torch.maximum(clipped, config.dual_clip * advantages),
            clipped,
        )
        entropy = -(log_policy.exp() * log_policy).sum(-1).mean()
        value_loss = (network.value(features) - returns).square().mean()
        loss = -dual.mean() - 0.05 * entropy + config.value_coefficient * value_loss
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(network.policy_parameters(), config.max_gradient_norm)
        optimizer.step()
