"""The script of the attackers: where its squads go, and what each attacker does."""

from marl_envs.adca.opponent.command import give_orders
from marl_envs.adca.opponent.orders import Orders

__all__ = ["Orders", "give_orders"]
