"""Driving a run: stages, optimisation, checkpoints, logs."""
