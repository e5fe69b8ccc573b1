"""QMIX, VDN and independent Q-learning."""
