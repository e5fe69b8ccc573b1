"""The sizes of what guards see and do."""

from __future__ import annotations

#: How many friends a guard sees at most, itself among them, and how many enemies.
NEIGHBOURS = 6
#: K: the rows of an observation.
ENTITIES = 2 * NEIGHBOURS
#: F: the numbers of a row.
FEATURES = 16
#: A: do nothing, four forces, two turns.
ACTIONS = 7
