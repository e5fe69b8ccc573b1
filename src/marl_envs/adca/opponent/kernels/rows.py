"""The scratch space of a battle, and the types of the kernel's arguments."""

from __future__ import annotations

import warp as wp

#: One row of numbers, or of whole numbers.
Row = wp.array(dtype=float)
WholeRow = wp.array(dtype=int)
#: The scratch space: rows of numbers, and rows of whole numbers.
Rows = wp.array2d(dtype=float)
WholeRows = wp.array2d(dtype=int)

#: Rows of numbers, with one number for each fighter or squad. Later stages reuse some of the rows.
ROWS = 14
#: Sums of x and y of a cluster or a squad; later the points of a ring, by rank.
X = 0
Y = 1
#: Squared distances of attackers from the nearest centre so far.
LEAST = 2
#: The centres of squads, and the squares of their distances from the origin.
CENTRE_X = 3
CENTRE_Y = 4
CENTRE_SQUARED = 5
#: Target points, in the order of the clusters.
TARGET_X = 6
TARGET_Y = 7
#: The target point of each squad.
GIVEN_X = 8
GIVEN_Y = 9
#: The place that each rank has at the moment, and how far its member is from it.
PLACE_X = 10
PLACE_Y = 11
OWN = 12
#: What something is sorted or searched by.
KEY = 13

#: Rows of whole numbers.
WHOLE_ROWS = 5
#: The name of each guard's cluster.
NAME = 0
#: The squad of each attacker.
LABEL = 1
#: The sizes of clusters or squads; later, where each squad ends.
SIZE = 2
#: Attackers or squads, sorted.
ORDER = 3
#: Places, sorted.
PLACES = 4
