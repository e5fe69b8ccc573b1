"""QMIX and VDN."""
