"""A diagnosis as plain values, for JSON."""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import Any

from torch import Tensor

from marl_pr.diagnosis.diagnosis import Diagnosis
from marl_pr.diagnosis.predicted import predicted_trap
from marl_pr.diagnosis.sentence import Subject, next_command, remark, sentence
from marl_pr.diagnosis.signal import Signal


def as_json(
    found: Diagnosis,
    subject: Subject,
) -> dict[str, Any]:
    """The object that ``marl diagnose --json`` prints.

    Lists of signals have an entry for each agent; null stands for what is not known.

    Args:
        found: the diagnosis.
        subject: of what.
    """
    verdict = found.verdict
    parts = {}
    for index, name in enumerate(found.windows):
        parts[name] = {
            "worth": float(found.worth[index]),
            "alone": _signal(found.signals.alone, index),
            "independent": _signal(found.signals.independent, index),
            "resonant": _signal(found.signals.resonant, index),
            "lost": verdict.lost[index].tolist(),
            "heard_in_resonance": verdict.heard[index].tolist(),
            "unclear": verdict.unclear[index].tolist(),
            "held": verdict.held[index].tolist(),
        }
    return {
        "answer": verdict.answer,
        "verdict": sentence(found),
        "remark": remark(found),
        "next": next_command(found, subject),
        "agents": found.agents,
        "actions": found.actions,
        "episodes": found.episodes,
        "deviators": {
            "independent": [one.as_json() for one in found.independent_counts],
            "resonant": [one.as_json() for one in found.resonant_counts],
        },
        "crowd": asdict(found.crowd),
        "entropy_coefficient": found.entropy,
        "entropy_trap_from": predicted_trap(found),
        "return": {
            "greedy": found.greedy.as_json(),
            "sampled": found.sampled.as_json(),
            "gap": found.gap.as_json(),
        },
        "windows": parts,
    }


def _signal(
    signal: Signal,
    window: int,
) -> dict[str, Any]:
    low, high = (end[window] for end in signal.interval())
    known = signal.error[window].isfinite()
    ends = [_known(end) for end in (low, high)]
    return {
        "mean": _known(signal.mean[window].where(known, math.nan)),
        "ci95": [list(pair) for pair in zip(*ends, strict=True)],
        "episodes_deviating": signal.deviating[window].tolist(),
    }


def _known(values: Tensor) -> list[float | None]:
    return [value if math.isfinite(value) else None for value in values.tolist()]
