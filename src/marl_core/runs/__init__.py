"""What a run is on disk: its folder, lock, metrics, and what may change in its config."""
