"""The start of the command line: ``edgepack``, and ``python -m edgepack``."""

from __future__ import annotations

import sys
from typing import NoReturn

from edgepack.core.errors import MissingToolError
from edgepack.core.packages import lacking_package


def main() -> NoReturn:
    """Run the command line, or say what it lacks, such as click, which prints the other errors."""
    try:
        from edgepack.cli import main as run
    except ModuleNotFoundError as error:
        if (package := lacking_package(error)) is None:
            raise
        sys.stderr.write(f"error: {package.lack}\n")
        sys.exit(MissingToolError.exit_code)
    run()


if __name__ == "__main__":
    main()
