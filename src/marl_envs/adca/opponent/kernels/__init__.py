"""The script of the attackers as one fused kernel, compiled by NVIDIA Warp.

One thread plays the whole script for one battle, in single precision. The kernel computes what
``marl_envs.adca.opponent.command.give_orders`` computes. The modules there say why things are done;
the modules here only say how.

Warp's language looks like Python but differs from it: ``int(0)`` makes a variable where ``0`` would
be a constant, indexing an array gives a view, and integers of two widths do not mix. No type
checker can follow that, hence ``no_type_check`` on each function; Warp itself checks them.

Only ``warp_orders`` may be imported where Warp is not installed.
"""
