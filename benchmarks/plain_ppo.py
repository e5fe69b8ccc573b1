"""One PPO update, written the way it is usually written.

The network is evaluated on every sample, gradients come from ``backward()``, and steps are taken by
torch's own Adam. ``plain_update`` reads from top to bottom; docs/one_update.md goes through it
beside the host's own update. ``compare`` asserts that both end with the same weights."""

from __future__ import annotations

import time
from typing import Any

import torch
from torch import Tensor, nn

from marl_core.collection.collector import Collector
from marl_core.config.run import RunConfig
from marl_core.construction import build_environment
from marl_core.hosts.networks import Dense, Stack
from marl_core.hosts.ppo.config import PPOMAConfig
from marl_core.hosts.ppo.ppo_ma import PPOMA
from marl_core.learning import LearningContext
from marl_core.observation_table import look_up
from marl_core.rng import Generators
from marl_core.run_state import RunState
from marl_core.runs.assembly import first_state
from marl_core.training.optimizer import FlatAdam
from marl_core.types import Rollout

#: c_H of Eq. 1 (Table 3).
ENTROPY_COEFFICIENT = 0.05


def plain_update(network: PlainNetwork, rollout: Rollout, config: PPOMAConfig) -> None:
    """Learn from games that all last for T steps and then terminate.

    Args:
        network: learns.
        rollout: the games; each tensor has the axes T E N.
        config: the settings.
    """
    assert rollout.table is not None
    features = look_up(rollout.observations, rollout.table).features
    assert features is not None
    actions = rollout.actions.unsqueeze(-1)

    # What was before the update: values, probabilities and advantages.
    with torch.no_grad():
        values = network.value(features)
        old_log_policy = network.log_policy(features)
        old_log_chosen = old_log_policy.gather(-1, actions).squeeze(-1)
        advantages = torch.empty_like(values)
        advantage = torch.zeros_like(values[0])
        next_value = torch.zeros_like(values[0])
        for t in reversed(range(len(values))):
            delta = rollout.reward[t] + config.gamma * next_value - values[t]
            advantage = delta + config.gamma * config.gae_lambda * advantage
            advantages[t] = advantage
            next_value = values[t]
        returns = advantages + values
        deviation = advantages.std(correction=0)
        advantages = (advantages - advantages.mean()) / (deviation + 1e-8)

    policy_parameters = network.policy_parameters()
    critic_rate = config.learning_rate * config.critic_rate_factor
    optimizer = torch.optim.Adam(
        [
            {"params": policy_parameters, "lr": config.learning_rate},
            {"params": list(network.critic.parameters()), "lr": critic_rate},
        ]
    )
    for _ in range(config.epochs):
        log_policy = network.log_policy(features)
        log_chosen = log_policy.gather(-1, actions).squeeze(-1)
        ratio = (log_chosen - old_log_chosen).exp()
        near = ratio.clamp(1 - config.clip, 1 + config.clip)
        clipped = torch.minimum(ratio * advantages, near * advantages)
        bounded = torch.maximum(clipped, config.dual_clip * advantages)
        dual = torch.where(advantages < 0, bounded, clipped)
        entropy = -(log_policy.exp() * log_policy).sum(-1).mean()
        value_loss = (network.value(features) - returns).square().mean()
        loss = (
            -dual.mean()
            - ENTROPY_COEFFICIENT * entropy
            + config.value_coefficient * value_loss
        )
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(policy_parameters, config.max_gradient_norm)
        optimizer.step()


class PlainNetwork(nn.Module):
    """A host's networks as ``nn.Linear`` layers, weights copied.

    Args:
        host: whose weights are copied.
    """

    def __init__(self, host: PPOMA) -> None:
        super().__init__()
        self.encoder = _plain(host.encoder)
        self.actor = _plain(host.body, host.head)
        self.critic = _plain(host.critic)

    def log_policy(self, features: Tensor) -> Tensor:
        """The logarithm of each agent's policy, ``[*B, N, A]``.

        Args:
            features: ``[*B, N, O]``.
        """
        return self.actor(self.encoder(features)).log_softmax(-1)

    def value(self, features: Tensor) -> Tensor:
        """The value of what each agent sees, ``[*B, N]``.

        Args:
            features: ``[*B, N, O]``.
        """
        return self.critic(self.encoder(features)).squeeze(-1)

    def policy_parameters(self) -> list[nn.Parameter]:
        """What is trained with the policy's learning rate."""
        return [*self.encoder.parameters(), *self.actor.parameters()]

    def weights(self) -> Tensor:
        """All weights as one vector."""
        return torch.cat([p.detach().flatten() for p in self.parameters()])


def _plain(*stacks: Stack) -> nn.Sequential:
    """The stacks as ``nn.Linear`` layers."""
    layers: list[nn.Module] = []
    for stack in stacks:
        for layer in stack.layers:
            assert isinstance(layer, Dense)
            layers.append(_linear(layer))
            if layer.relu:
                layers.append(nn.ReLU())
    return nn.Sequential(*layers)


def _linear(layer: Dense) -> nn.Linear:
    """A layer that knows the agent gets the agents' one-hot as further inputs."""
    weight = layer.weight.detach()
    if layer.identity is None:
        linear = nn.Linear(*weight.shape)
    else:
        weight = torch.cat([weight, layer.identity.detach()])
        linear = _WithIdentity(*weight.shape)
    linear.weight.data = weight.T.clone()
    linear.bias.data = layer.bias.detach().clone()
    return linear


class _WithIdentity(nn.Linear):
    """A linear layer on the input beside the agents' one-hot identities."""

    def forward(self, inputs: Tensor) -> Tensor:
        agents = inputs.shape[-2]
        one_hot = torch.eye(agents).expand(*inputs.shape[:-1], agents)
        return super().forward(torch.cat([inputs, one_hot], dim=-1))


def compare(config: RunConfig, our_seconds: float) -> dict[str, Any]:
    """Time a plain update on a rollout of ours; assert that both end with the same weights.

    Args:
        config: of the run.
        our_seconds: how long our whole update takes.

    Returns:
        What was found, for the report.
    """
    state = first_state(config)
    host = state.host
    assert isinstance(host, PPOMA)
    rollout = _rollout(state)
    plain = PlainNetwork(host)
    started = time.perf_counter()
    plain_update(plain, rollout, host.config)
    seconds = time.perf_counter() - started
    optimizer = FlatAdam(host.parameter_groups())
    policy = state.exploration.individual
    for loss in host.losses(rollout, policy, LearningContext()):
        optimizer.set_gradients(optimizer.gradients_of(loss.total))
        optimizer.step()
    ours = PlainNetwork(host)
    difference = float((ours.weights() - plain.weights()).abs().max())
    assert difference < 1e-4, f"the two updates end {difference} apart"
    return {
        "what": "plain PyTorch, every sample, learning alone (no collection)",
        "seconds": seconds,
        "times as long as our whole update": seconds / our_seconds,
        "greatest difference between the weights": difference,
    }


def _rollout(state: RunState) -> Rollout:
    """The games of an update, as the run's own first update plays them."""
    config = state.config
    streams = Generators(config.seed, 0, "cpu")
    environment = build_environment(
        config.environment,
        games=config.training.episodes_per_update,
        device="cpu",
        generator=streams["environment"],
    )
    collector = Collector(environment, streams["exploration"])
    return collector.collect(state.host, state.exploration, state.progress)
