"""The version of the JSON that edgepack writes."""

from __future__ import annotations

SCHEMA = 1
"""The ``schema`` of every report and manifest: a file of another one is not read as if it were."""
