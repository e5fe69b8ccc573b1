"""Policies over numbers in a box, and the law of a team that has them; torch is all it needs."""
