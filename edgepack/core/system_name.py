"""The name of the operating system, as people write it."""

from __future__ import annotations

import sys

_NAMES = {"darwin": "macOS", "linux": "Linux", "win32": "Windows"}


def system_name() -> str:
    """Return the name of this system for messages, such as "macOS"."""
    return _NAMES.get(sys.platform, sys.platform)
