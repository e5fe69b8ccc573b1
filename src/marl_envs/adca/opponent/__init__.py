"""The scripted attackers: target points, squads, which squad goes where, and what each attacker does."""

from marl_envs.adca.opponent.command import Orders, give_orders

__all__ = ["Orders", "give_orders"]
