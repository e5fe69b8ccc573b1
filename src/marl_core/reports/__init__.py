"""Learning curves and tables over many runs."""
