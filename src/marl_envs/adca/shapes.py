"""The sizes of what guards see and do."""

from __future__ import annotations

#: Guards see so many of the nearest fighters of each team, themselves among them.
NEIGHBOURS = 6
#: K: the rows of an observation.
ENTITIES = 2 * NEIGHBOURS
#: F: the numbers of a row.
FEATURES = 16
#: A: do nothing, four forces, two turns.
ACTIONS = 7
