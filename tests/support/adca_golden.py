"""Recorded battles of the authors' program, for differential tests.

The full files are outside the repository: in the folder that the environment variable MARL_GOLDEN
names, or in ``../shared/golden`` beside the repository. ``tests/golden/adca_excerpt.npz`` holds a
few dozen of their transitions, so that every test runs without the full files.
``tests/golden/README.md`` says where they come from.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from marl_envs.adca.battle import Battle
from marl_envs.adca.config import ADCAConfig
from tests.support.places import GOLDEN, REPOSITORY

EXCERPT = GOLDEN / "adca_excerpt.npz"
GUARDS = 50
_STATE = ("alive", "pos", "vel", "heading", "terrain_attr")


def folder() -> Path | None:
    """The folder of the full recordings; None if there is none."""
    beside = REPOSITORY.parent / "shared" / "golden"
    found = Path(os.environ.get("MARL_GOLDEN", beside))
    return found if (found / "adca_transitions.npz").exists() else None


@dataclass(frozen=True)
class Recording:
    """T recorded transitions of battles of one size.

    The names of the arrays are those in the README of the recordings.
    """

    arrays: dict[str, np.ndarray]

    def tensor(self, name: str) -> Tensor:
        """A recorded array; floating-point ones in double precision."""
        value = torch.as_tensor(self.arrays[name])
        return value.double() if value.is_floating_point() else value

    @property
    def attackers(self) -> int:
        """H, the number of attackers."""
        return int(self.arrays["att_heading"].shape[1])

    @property
    def config(self) -> ADCAConfig:
        """The recorded task: no jamming, and neighbours in the order of their distance."""
        return ADCAConfig(
            name="adca",
            agents=GUARDS,
            attackers=self.attackers,
            jam_probability=0,
            shuffle_neighbours=False,
        )

    def battle(
        self, when: str = "before", dtype: torch.dtype = torch.float64
    ) -> Battle:
        """The states before the transitions, after them, or when they were observed.

        After the transitions, the clock is still as it was before.
        """
        theta = self.tensor("observed_theta" if when == "observed" else "theta").to(
            dtype
        )
        alive, position, velocity, heading, terrain = (
            self.tensor(f"{when}_{name}") for name in _STATE
        )
        clock = (
            torch.zeros(len(theta), dtype=torch.int64)
            if when == "observed"
            else self.tensor("clock").long()
        )
        return Battle(
            alive,
            position.mT.to(dtype).contiguous(),
            velocity.mT.to(dtype).contiguous(),
            heading.to(dtype),
            terrain.to(dtype),
            theta,
            clock,
            torch.zeros_like(clock),
        )


def excerpt(prefix: str) -> Recording:
    """The committed transitions.

    Args:
        prefix: ``exact`` (50 against 60, in double precision), ``v60`` or ``v75``.
    """
    with np.load(EXCERPT) as data:
        found = {
            name.split("/")[1]: data[name]
            for name in data.files
            if name.startswith(prefix + "/")
        }
    return Recording(found)


def full(prefix: str) -> Recording | None:
    """All recorded transitions of a kind of ``excerpt``; None without the full files."""
    where = folder()
    if where is None:
        return None
    file, key = (
        ("adca_exact64.npz", "v60_")
        if prefix == "exact"
        else ("adca_transitions.npz", prefix + "_")
    )
    with np.load(where / file) as data:
        return Recording(
            _transitions(
                {
                    name.removeprefix(key): data[name]
                    for name in data.files
                    if key in name
                }
            )
        )


def starts(sizes: str) -> dict[str, Tensor]:
    """Recorded resets of ``50v60``, ``50v75`` or ``40v44``: theta, pos and heading.

    These are all resets if the full files are there, and otherwise the committed ones.
    """
    where = folder()
    file, prefix = (
        (EXCERPT, f"init/{sizes}_")
        if where is None
        else (where / "adca_transitions.npz", f"init_{sizes}_")
    )
    with np.load(file) as data:
        return {
            name: torch.as_tensor(data[prefix + name]).double()
            for name in ("theta", "pos", "heading")
        }


def _transitions(recorded: dict[str, np.ndarray]) -> dict[str, Any]:
    """Each step with the states before and after it."""
    lengths = recorded["ep_len"]
    episode = np.repeat(np.arange(len(lengths)), lengths)
    clock = np.arange(len(episode)) - recorded["ep_step_start"][:-1][episode]
    row = recorded["ep_state_start"][:-1][episode] + clock
    found: dict[str, Any] = {"theta": recorded["ep_theta"][episode], "clock": clock}
    seen = recorded["obs_state_row"]
    for name in _STATE:
        states = recorded[f"state_{name}"]
        found[f"before_{name}"], found[f"after_{name}"] = states[row], states[row + 1]
        found[f"observed_{name}"] = states[seen]
    episode_of_row = np.repeat(np.arange(len(lengths)), lengths + 1)
    found["observed_theta"] = recorded["ep_theta"][episode_of_row[seen]]
    found["observed"] = recorded["obs"]
    found |= {
        name.removeprefix("step_"): value
        for name, value in recorded.items()
        if name.startswith("step_")
    }
    return found


def write_excerpt() -> None:
    """Choose transitions and write ``EXCERPT``: ``python -m tests.support.adca_golden``."""
    chosen: dict[str, np.ndarray] = {}
    for prefix, most, observed in (
        ("exact", 9, [1, 5]),
        ("v60", 14, [60, 100]),
        ("v75", 6, [30]),
    ):
        recording = full(prefix)
        assert recording is not None, "the full recordings are needed"
        rows = _interesting(recording.arrays, most)
        for name, value in recording.arrays.items():
            chosen[f"{prefix}/{name}"] = value[
                observed if name.startswith("observed") else rows
            ]
    for sizes in ("50v60", "50v75", "40v44"):
        for name, start in starts(sizes).items():
            chosen[f"init/{sizes}_{name}"] = (
                start[:8].numpy().astype(np.float64 if name == "theta" else np.float32)
            )
    np.savez_compressed(EXCERPT, **chosen)  # type: ignore[arg-type]


def _interesting(arrays: dict[str, np.ndarray], most: int) -> np.ndarray:
    """All kinds of ends, many hits, many fighters beyond the wall, the first step, random steps."""
    done, win, time = arrays["done"], arrays["win"], arrays["clock"]
    beyond = (
        (np.abs(arrays["before_pos"]) > 4.95).any(-1) & arrays["before_alive"]
    ).sum(1)
    ends = [
        (done & (win == how) & ((time == 189) == late))
        for how in (0, 1)
        for late in (False, True)
    ]
    rows = [int(np.flatnonzero(end)[0]) for end in ends if end.any()]
    rows += [0, int(arrays["hit"].sum(1).argmax()), int(beyond.argmax())]
    some = np.random.default_rng(0).permutation(len(done))
    return np.array(list(dict.fromkeys([*rows, *some.tolist()]))[:most])


if __name__ == "__main__":
    write_excerpt()
