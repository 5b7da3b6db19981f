"""``python -m spikequant``."""

from spikequant.cli import main

if __name__ == "__main__":
    main()
