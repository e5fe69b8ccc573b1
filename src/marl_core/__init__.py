"""The kernel: protocols, configs, training. It knows no environment and no paper."""

from importlib.metadata import version

#: The version of the installed package; ``pyproject.toml`` has it.
__version__ = version("policy-resonance")
