"""MAPPO and IPPO, feed-forward and recurrent."""
