"""The user's own configuration and cache folders, by the XDG Base Directory Specification."""

from __future__ import annotations

import os
from pathlib import Path


def user_folder(variable: str, below_home: str) -> Path | None:
    """Return edgepack's folder in the one that an environment variable names.

    Without the variable, it is in ``below_home`` of the home folder. Returns None if there is no
    home folder, or if the path is not absolute.
    """
    try:
        folder = Path(os.environ.get(variable) or Path.home() / below_home, "edgepack")
    except RuntimeError:  # no home folder
        return None
    return folder if folder.is_absolute() else None
