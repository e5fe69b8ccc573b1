"""Policy Resonance (PR): a team's exploration made jointly random, every agent's own frequencies
kept.

``resonance`` has Eq. 11-18 as functions, ``coupling`` the coupling, ``theory`` Eq. 2-10 and 20,
``paper`` what ``marl reproduce`` makes. Nothing is imported here: `marl --help` finds its command
in this package.
"""
