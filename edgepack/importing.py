"""Importing modules that the user names."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from types import ModuleType


def import_module(name: str) -> ModuleType:
    """Import a module from the path or the working folder.

    Raises what the module raises, and :class:`ImportError` for one that ends the process.
    """
    here = str(Path.cwd())
    sys.path.append(here)  # last: a file here must not stand in for an installed module
    try:
        return importlib.import_module(name)
    except SystemExit as error:
        raise ImportError(f"it called sys.exit({error.code!r})") from error
    finally:
        sys.path.remove(here)
