"""The team size at which the theory puts the trap of policy-based learning."""

from __future__ import annotations

from marl_pr.diagnosis.diagnosis import Diagnosis
from marl_pr.theory.team_sizes import critical_sizes


def predicted_trap(found: Diagnosis) -> int | None:
    """The smallest team that c_H and n_k alone keep in the trap of FME's Lv-C, if sigma is 1.

    It is the middle column of docs/paper/theory.md. Other tasks have other rewards, so this is a
    bearing and no measurement.

    Args:
        found: the diagnosis.

    Returns:
        None without an entropy bonus, or where no team of up to 100 is.
    """
    if found.entropy <= 0:
        return None
    return critical_sizes(found.actions, found.entropy).trap
