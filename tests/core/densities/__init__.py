"""Tests of marl_core.densities."""
