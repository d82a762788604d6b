"""The user's own configuration and cache folders, by the XDG Base Directory Specification."""

from __future__ import annotations

import os
from pathlib import Path


def user_folder(variable: str, below_home: str) -> Path | None:
    """Return edgepack's folder in the one that an environment variable names.

    Without the variable, and with a path that is not absolute, it is in ``below_home`` of the home
    folder. Returns None if there is no home folder with an absolute path.
    """
    if Path(value := os.environ.get(variable, "")).is_absolute():
        return Path(value, "edgepack")
    try:
        folder = Path.home() / below_home / "edgepack"
    except RuntimeError:  # no home folder
        return None
    return folder if folder.is_absolute() else None


def ignored_value(variable: str) -> str | None:
    """Return the value of a variable that is ignored, as it is no absolute path; None if none is.

    The specification calls such a path invalid.
    """
    value = os.environ.get(variable)
    return value if value and not Path(value).is_absolute() else None
