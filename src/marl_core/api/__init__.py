"""The front door in Python: train a run, load one, act by its policy, go on from it.

Everything here is exported by ``marl_core`` itself.
"""
