"""Recorded forward passes of the authors' network, and their weights put into ours."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from marl_core.hosts.conc4hist.block import ConcentrationBlock
from marl_core.hosts.conc4hist.conc4hist import Conc4Hist
from marl_core.hosts.conc4hist.config import Conc4HistConfig
from marl_core.hosts.networks import Dense
from marl_core.types import EnvironmentSpec, Memory, Observation
from tests.support.places import GOLDEN, REPOSITORY

EXCERPT = GOLDEN / "conc4hist_randw.npz"


class Golden:
    """A file of recordings, as tensors; those of weights begin with ``w/``."""

    def __init__(self, path: Path) -> None:
        with np.load(path) as arrays:
            self._tensors = {
                name: torch.from_numpy(arrays[name]) for name in arrays.files
            }

    def __getitem__(self, name: str) -> Tensor:
        return self._tensors[name]

    def seen(self) -> tuple[Observation, Memory]:
        """What our host gets in the recorded steps."""
        rows = self["net_input"]
        mask = ~rows[..., 0].isnan()
        rows, half = rows.nan_to_num(), rows.shape[-2] // 2
        observation = Observation(
            entities=rows[..., :half, :],
            entity_mask=mask[..., :half],
            alive=mask[..., 0].contiguous(),
        )
        return observation, {"past": rows[..., half:, :], "past_mask": mask[..., half:]}

    def host(self) -> Conc4Hist:
        """Our host with the recorded weights."""
        _, agents, entities, features = self["net_input"].shape
        spec = EnvironmentSpec(
            agents=agents, actions=7, max_steps=180, entities=(entities // 2, features)
        )
        host = Conc4Hist(Conc4HistConfig(name="conc4hist"), spec, torch.Generator())
        with torch.no_grad():
            self._fill(host)
        return host

    def _fill(self, host: Conc4Hist) -> None:
        host.norm.mean.copy_(self["w/_batch_norm.mean"])
        host.norm.variance.copy_(self["w/_batch_norm.var"])
        host.norm.one_hot.copy_(self["w/_batch_norm.one_hot_filter"])
        self._dense(host.network.encoder.first, "AT_obs_encoder.0")
        self._dense(host.network.encoder.second, "AT_obs_encoder.2")
        self._block(host.network.now, "MIX_conc_core_f")
        self._block(host.network.past, "MIX_conc_core_h")
        stacks = {
            "AT_get_logit_db": [*host.trunk.layers, *host.head.layers],
            "CT_get_value": [*host.critic.layers],
        }
        for name, layers in stacks.items():
            for index, layer in enumerate(layers):
                assert isinstance(layer, Dense)
                self._dense(layer, f"{name}.{2 * index}")

    def _dense(self, layer: Dense, name: str) -> None:
        layer.weight.copy_(self[f"w/{name}.weight"].T)
        layer.bias.copy_(self[f"w/{name}.bias"])

    def _block(self, block: ConcentrationBlock, name: str) -> None:
        block.query.copy_(self[f"w/{name}.CT_W_query"])
        block.key.copy_(self[f"w/{name}.CT_W_key"])
        block.value.copy_(self[f"w/{name}.CT_W_val"])
        self._dense(block.motive, f"{name}.CT_motivate_mlp.0")
        self._dense(block.focus, f"{name}.AT_forward_mlp.0")
        # Theirs takes encoded rows and features by turns, ours all encoded rows first.
        by_row = block.focus.weight.unflatten(0, (block.count + 1, -1))
        width = block.query.shape[0]
        block.focus.weight.copy_(
            torch.cat(
                [by_row[:, :width].flatten(0, 1), by_row[:, width:].flatten(0, 1)]
            )
        )


def golden_file(name: str) -> Path:
    """A file that is not part of the repository; where it is missing the test is skipped."""
    folder = Path(
        os.environ.get("MARL_GOLDEN", REPOSITORY.parent / "shared" / "golden")
    )
    if not (folder / name).exists():
        pytest.skip(f"{name} is not there: MARL_GOLDEN names the folder of recordings")
    return folder / name
