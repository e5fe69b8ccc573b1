"""The results of the paper, each made by one command: ``marl reproduce ITEM``."""
