"""The same QMIX update in TorchRL, by its QMixer and QMixerLoss: on our batch, from our weights."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any, final

import torch
from torch import Tensor, nn

from marl_core.hosts.networks import Dense
from marl_core.hosts.qmix.mixing import MonotonicMixer
from marl_core.hosts.qmix.qmix import QMIX
from marl_core.observation_table import without_table
from marl_core.types import Rollout


@final
class TorchRLUpdate:
    """An update as TorchRL's own QMIX example makes it. Needs ``pip install torchrl``.

    Args:
        host: whose weights to begin with. Its target network must be equal to the online one.
        rollout: the batch.
    """

    def __init__(self, host: QMIX, rollout: Rollout) -> None:
        from tensordict.nn import TensorDictModule, TensorDictSequential
        from torchrl.modules import QMixer, QValueModule
        from torchrl.objectives import QMixerLoss, ValueEstimators

        written = without_table(rollout)
        config = host.config
        team = ("agents", "action_value")
        own = ("agents", "chosen_action_value")
        values = QValueModule(
            action_space="categorical",
            action_value_key=team,
            out_keys=[("agents", "action"), team, own],
        )
        network = TensorDictModule(
            _agents(host), in_keys=[("agents", "observation")], out_keys=[team]
        )
        assert host.online.mixer is not None
        state = written.observations.state
        assert state is not None
        mixer = QMixer(
            (state.shape[-1],), config.hidden, written.actions.shape[-1], "cpu"
        )
        _copy_mixer(mixer, host.online.mixer)
        self._loss: Any = QMixerLoss(
            TensorDictSequential(network, values),
            TensorDictModule(
                mixer, in_keys=[own, "state"], out_keys=["chosen_action_value"]
            ),
            delay_value=True,
            action_space="categorical",
        )
        self._loss.set_keys(
            action_value=team,
            local_value=own,
            global_value="chosen_action_value",
            action=("agents", "action"),
        )
        self._loss.make_value_estimator(
            ValueEstimators.TDLambda, gamma=config.gamma, lmbda=config.td_lambda
        )
        self._batch = _as_tensordict(written)
        self._limit = config.max_gradient_norm
        self._optimizer = torch.optim.Adam(
            self._loss.parameters(), config.learning_rate
        )

    def __call__(self) -> float:
        """One optimisation step; the loss before it."""
        loss = self._loss(self._batch)["loss"]
        self._optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self._loss.parameters(), self._limit)
        self._optimizer.step()
        return float(loss.detach())


def _agents(host: QMIX) -> nn.Sequential:
    layers: list[nn.Module] = []
    for layer in (*host.online.body.layers, *host.online.head.layers):
        assert isinstance(layer, Dense)
        linear = nn.Linear(*layer.weight.shape)
        linear.weight.data = layer.weight.detach().T.clone()
        linear.bias.data = layer.bias.detach().clone()
        layers.extend([linear, nn.ReLU()] if layer.relu else [linear])
    return nn.Sequential(*layers)


def _copy_mixer(theirs: Any, ours: MonotonicMixer) -> None:
    """Put our hypernetworks of two layers (Hu et al. 2021) in place of TorchRL's single ones."""
    copies: Sequence[tuple[str, nn.Module]] = (
        ("hyper_w_1", ours.first),
        ("hyper_b_1", ours.first_bias),
        ("hyper_w_final", ours.second),
        ("V", ours.second_bias),
    )
    for name, module in copies:
        setattr(theirs, name, _clone(module))


def _clone(module: nn.Module) -> nn.Module:
    if isinstance(module, nn.Sequential):
        return nn.Sequential(*(_clone(part) for part in module))
    if not isinstance(module, nn.Linear):
        return module
    linear = nn.Linear(module.in_features, module.out_features)
    linear.load_state_dict(module.state_dict())
    return linear


def _as_tensordict(rollout: Rollout) -> Any:
    """Episodes first, then steps, as TorchRL's estimators want them."""
    from tensordict import TensorDict

    def by_episode(values: Tensor) -> Tensor:
        return values.transpose(0, 1).contiguous()

    def following(now: Tensor | None, last: Tensor | None) -> Tensor:
        assert now is not None
        assert last is not None
        return by_episode(torch.cat([now[1:], last.unsqueeze(0)]))

    seen = rollout.observations
    last = rollout.last_observation
    assert seen.features is not None
    assert seen.state is not None
    games = rollout.actions.shape[1]
    steps = rollout.actions.shape[0]
    terminated = by_episode(rollout.terminated).unsqueeze(-1)
    return TensorDict(
        {
            "agents": {
                "observation": by_episode(seen.features),
                "action": by_episode(rollout.actions),
            },
            "state": by_episode(seen.state),
            "next": {
                "agents": {"observation": following(seen.features, last.features)},
                "state": following(seen.state, last.state),
                "reward": by_episode(rollout.team_reward).unsqueeze(-1),
                "done": terminated,
                "terminated": terminated,
            },
        },
        batch_size=[games, steps],
    )


def timed(update: Callable[[], float], repetitions: int) -> tuple[float, float]:
    """The loss of the first update, and the median of the seconds of the others."""
    first = update()
    seconds = []
    for _ in range(repetitions):
        started = time.perf_counter()
        update()
        seconds.append(time.perf_counter() - started)
    return first, sorted(seconds)[len(seconds) // 2]
