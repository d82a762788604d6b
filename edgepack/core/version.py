"""The version of edgepack, which its metadata have, too, where it is installed."""

from __future__ import annotations

__version__ = "0.1.0"
