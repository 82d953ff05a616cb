"""``python -m bridge`` is the console script ``bridge``."""

from bridge.cli import main

if __name__ == "__main__":
    main()
