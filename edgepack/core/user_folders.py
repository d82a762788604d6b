"""Folders of the user's own, as the XDG Base Directory Specification has them."""

from __future__ import annotations

import os
from pathlib import Path


def user_folder(variable: str, below_home: str) -> Path | None:
    """Find the folder that a variable names, or else the one below the home; None without a home.

    A path that is not absolute counts as none.
    """
    try:
        named = Path(os.environ.get(variable) or Path.home() / below_home, "edgepack")
    except RuntimeError:  # no home
        return None
    return named if named.is_absolute() else None
