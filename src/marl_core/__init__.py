"""The kernel: protocols, configs, training. It knows no environment and no paper."""
