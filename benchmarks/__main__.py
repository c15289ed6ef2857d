"""The command: ``python -m benchmarks --help``."""

from .command import main

if __name__ == "__main__":
    main()
