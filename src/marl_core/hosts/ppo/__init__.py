"""PPO with parameters shared by all agents."""
