"""Conc4Hist: attention over what agents see and remember."""
