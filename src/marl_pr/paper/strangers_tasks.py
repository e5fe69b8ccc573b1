"""Environments that nobody of this project wrote, and how long they are trained on."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final


@dataclass(frozen=True)
class Task:
    """An environment of another library.

    Args:
        label: what tables call it.
        environment: its config.
        episodes: how many are trained on at paper scale.
        p_min: of Eq. 18; at most one over the number of actions.
        host: settings of the host, beside its defaults.
        metric: what its curve shows.
    """

    label: str
    environment: dict[str, Any]
    episodes: int
    p_min: float = 0.1
    host: dict[str, Any] = field(default_factory=dict)
    metric: str = "return"


def _pettingzoo(name: str, **settings: Any) -> dict[str, Any]:
    return {"name": "pettingzoo", "id": name, **settings}


def _foraging(name: str) -> dict[str, Any]:
    # A reset of lbforaging 2.0.0 leaves traces of the game before.
    return {"name": "gymnasium", "id": f"lbforaging:Foraging-{name}", "rebuild": True}


def _vmas(scenario: str) -> dict[str, Any]:
    return {"name": "vmas", "id": scenario, "max_steps": 100, "reward": "team"}


def _jaxmarl(name: str, **settings: Any) -> dict[str, Any]:
    return {"name": "jaxmarl", "id": name, **settings}


_BATTLE: Final = {
    "kwargs": {"scenario": "3m"},
    "state": "own",
    "reward": "team",
    "won_reward": 1.0,
}
TASKS: Final = (
    Task("mpe2, simple_spread", _pettingzoo("mpe2:simple_spread_v3"), 9_600),
    Task(
        "mpe2, simple_reference",
        _pettingzoo("mpe2:simple_reference_v3"),
        9_600,
        p_min=0.02,
    ),
    Task(
        "mpe2, simple_speaker_listener",
        _pettingzoo("mpe2:simple_speaker_listener_v4"),
        9_600,
    ),
    Task(
        "mpe2, simple_tag (hunters)",
        _pettingzoo("mpe2:simple_tag_v3", team="adversary"),
        6_400,
    ),
    Task("foraging, 5x5, 2 players", _foraging("5x5-2p-1f-v3"), 9_600),
    Task("foraging, 6x6, 3 players, coop", _foraging("6x6-3p-1f-coop-v3"), 9_600),
    Task("VMAS, balance", _vmas("balance"), 6_400),
    Task("VMAS, navigation", _vmas("navigation"), 6_400),
    Task("VMAS, dispersion", _vmas("dispersion"), 6_400),
    Task("VMAS, transport", _vmas("transport"), 6_400),
    Task(
        "JaxMARL, overcooked cramped_room",
        _jaxmarl("overcooked", kwargs={"layout": "cramped_room"}, max_steps=100),
        9_600,
    ),
    Task(
        "JaxMARL, SMAX 3m",
        _jaxmarl("HeuristicEnemySMAX", **_BATTLE),
        9_600,
        metric="win_rate",
    ),
)
