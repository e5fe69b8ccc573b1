"""Hosts of this project and the same algorithms in other frameworks, trained on one task."""
