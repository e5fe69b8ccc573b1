"""The results of the paper, each by one command: ``marl reproduce ITEM``."""
