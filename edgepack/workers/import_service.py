"""The service that tries imports, in a process that they may crash."""

from __future__ import annotations

import importlib
import os
import tempfile

from edgepack.core.progress import Update


class Importer:
    """Imports modules, which may leave files in the process's folder for temporary files only."""

    def __init__(self) -> None:
        # Matplotlib makes a folder among the user's when it is imported.
        os.environ["MPLCONFIGDIR"] = tempfile.gettempdir()

    def load(self, *, module: str, update: Update) -> None:  # noqa: ARG002 (the protocol has it)
        """Import a module; raises what its import raises."""
        importlib.import_module(module)
