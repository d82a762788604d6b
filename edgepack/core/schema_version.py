"""The schema version of the JSON files that edgepack writes."""

from __future__ import annotations

SCHEMA = 1
"""The ``schema`` of every report and manifest; files of any other version are not read."""
