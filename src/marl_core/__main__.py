"""``python -m marl_core`` is ``marl``."""

from marl_core.cli import main

if __name__ == "__main__":
    main()
