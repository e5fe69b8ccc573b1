"""How often ``marl diagnose`` errs, against the closed form of FME.

    python benchmarks/diagnose_errors.py --first 100 --seeds 8

Trains short runs, diagnoses each team from its games, and asks the closed form of the reward
whether any agent is lost. Prints a row for each case: teams that have the problem and were said to
have it, to show nothing, or to be unclear; the same of teams that do not; and how many of all 95 %
intervals hold the exact signal.
"""

from __future__ import annotations

import argparse
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from marl_core import train
from marl_core.config.yaml_file import load_run
from marl_core.construction import build_environment
from marl_core.evaluation.statistics import share_interval
from marl_core.observation_table import table_of
from marl_core.run_state import RunState
from marl_core.runs.assembly import first_state, newest_state
from marl_core.runs.folder import RunFolder
from marl_pr.diagnosis.diagnosis import Diagnosis, diagnose
from marl_pr.diagnosis.exact import ExactSignals, exact_signals

EXAMPLES = Path(__file__).parents[1] / "examples"
PLAIN, RESONANT = EXAMPLES / "fme_ppo_ma.yaml", EXAMPLES / "fme_pr.yaml"
#: Config, settings, and whether it is trained.
CASES: dict[str, tuple[Path, dict[str, Any], bool]] = {
    "untrained, N = 5": (PLAIN, {"environment.agents": 5}, False),
    "untrained, N = 15": (PLAIN, {"environment.agents": 15}, False),
    "trained, N = 5": (
        PLAIN,
        {"environment.agents": 5, "stages.0.episodes": 65536},
        True,
    ),
    "trained, N = 15": (
        PLAIN,
        {"environment.agents": 15, "stages.0.episodes": 32768},
        True,
    ),
    "no Lv-C, trained, N = 15": (
        PLAIN,
        {
            "environment.agents": 15,
            "environment.tag": "1A2B0C",
            "stages.0.episodes": 16384,
        },
        True,
    ),
    "in resonance, N = 15": (
        RESONANT,
        {
            "environment.agents": 15,
            "stages.0.episodes": 32768,
            "stages.1.episodes": 98304,
        },
        True,
    ),
}


def team(config: Path, settings: dict[str, Any], trained: bool) -> RunState:
    if not trained:
        shown = [f"{key}={value}" for key, value in settings.items()]
        return first_state(load_run(config, shown))
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "run"
        train(config, set=settings, out=out, progress=False)
        return newest_state(RunFolder(out, trust=True))


@torch.no_grad()
def truth(state: RunState) -> ExactSignals:
    environment = build_environment(
        state.config.environment, games=1, device="cpu", generator=torch.Generator()
    )
    table = table_of(environment)
    assert table is not None
    scores, _ = state.host.scores(table, {})
    policy = state.exploration.individual
    logs = policy.log_policy(scores, table.legal_actions(), state.progress)
    return exact_signals(environment, logs.exp())  # type: ignore[arg-type]


def held(found: Diagnosis, exact: ExactSignals) -> Tensor:
    """Which of the 95 % intervals hold the exact signal."""
    parts = []
    for name in ("alone", "independent"):
        signal, value = getattr(found.signals, name), getattr(exact, name)
        low, high = signal.interval()
        known = signal.error.isfinite() & (signal.error > 1e-9)
        parts.append(((low <= value) & (value <= high))[known])
    return torch.cat(parts)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", type=int, default=8)
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--episodes", type=int, default=None)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    print("| case | has the problem | answers | intervals that hold the truth |")
    print("|---|---|---|---|")
    outcomes: dict[bool, list[str]] = {True: [], False: []}
    for name, (config, settings, trained) in CASES.items():
        answers: dict[bool, Counter[str]] = {True: Counter(), False: Counter()}
        hits = []
        for seed in range(arguments.first, arguments.first + arguments.seeds):
            state = team(config, {**settings, "seed": seed}, trained)
            found = diagnose(state, arguments.episodes)
            exact = truth(state)
            has = bool(exact.lost(found.worth).any())
            answers[has][found.verdict.answer] += 1
            outcomes[has].append(found.verdict.answer)
            hits.append(held(found, exact))
        share = float(torch.cat(hits).double().mean())
        for has, counted in answers.items():
            if counted:
                shown = ", ".join(f"{k}: {v}" for k, v in sorted(counted.items()))
                print(f"| {name} | {has} | {shown} | {share:.3f} |", flush=True)
    for has, wrong in ((True, "none"), (False, "problem")):
        told = outcomes[has]
        for answer in (wrong, "unknown"):
            rate = share_interval(torch.tensor([one == answer for one in told]))
            print(
                f"problem: {has}, said '{answer}': "
                f"{rate.mean:.3f} [{rate.low:.3f}, {rate.high:.3f}] of {len(told)}"
            )


if __name__ == "__main__":
    main()
