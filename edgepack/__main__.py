"""The command line as ``python -m edgepack``."""

from edgepack.cli import main

if __name__ == "__main__":
    main()
