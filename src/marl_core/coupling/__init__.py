"""Couplings that every algorithm uses: independent agents, and greedy ones."""
