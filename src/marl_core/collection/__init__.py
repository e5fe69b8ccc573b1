"""Playing episodes, and keeping them: the collector, bookkeeping of games, the replay."""
