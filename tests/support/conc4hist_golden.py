"""Recorded forward passes of the authors' network, and their weights put into ours."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from marl_core.hosts.conc4hist.conc4hist import Conc4Hist
from marl_core.hosts.conc4hist.config import Conc4HistConfig
from marl_core.types import EnvironmentSpec, Memory, Observation
from marl_pr.paper.authors_team import translated
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
        host.load_state_dict(translated(self.weights()))
        return host

    def weights(self) -> dict[str, Tensor]:
        """The recorded weights, by the authors' names."""
        found = {
            name.removeprefix("w/"): value
            for name, value in self._tensors.items()
            if name.startswith("w/")
        }
        found.setdefault("_batch_norm.n_sample", torch.tensor([1]))
        return found


def golden_file(name: str) -> Path:
    """A file that is not part of the repository; where it is missing the test is skipped."""
    folder = Path(
        os.environ.get("MARL_GOLDEN", REPOSITORY.parent / "shared" / "golden")
    )
    if not (folder / name).exists():
        pytest.skip(f"{name} is not there: MARL_GOLDEN names the folder of recordings")
    return folder / name
