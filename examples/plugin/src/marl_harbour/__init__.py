"""Tugs that moor a ship: a plugin of policy-resonance, as an example."""
