"""What the experiments hold fixed unless it is what they vary."""

from __future__ import annotations

from typing import Final

#: The task of Table 1 and of all figures about FME except Fig. 8.
TAG: Final = "1A4B2C"
#: Every task of Table 2 has seven levels, each with an optimal expected reward of 1.
OPTIMUM: Final = 7.0
#: The team in which eta_max, p_min and the variants are compared: N = 30, as printed in Fig. 9.
LARGE_TEAM: Final = 30
#: eta_max, the resonance probability after its ramp (Section 6.1).
ETA_MAX: Final = 0.75
#: p_min of Eq. 18 in FME, from the authors' demonstration.
P_MIN: Final = 0.2
#: By how much a control lowers the entropy coefficient in its second stage: to a tenth.
LESS_ENTROPY: Final = 0.1
#: To which epsilon a control of QMIX goes in its second stage; Table 3 ends at 0.1.
LESS_EPSILON: Final = 0.05
