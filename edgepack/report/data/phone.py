"""The report of ``edgepack phone``: the files written for phones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from edgepack.core.schema_version import SCHEMA
from edgepack.storage.artifact import Artifact


@dataclass(frozen=True, kw_only=True)
class PhoneReport:
    """The files that were written for a model, by path, and notes on them.

    ``class_name`` is the name of the class in Kotlin and in Swift.
    """

    name: str
    class_name: str
    artifacts: Mapping[str, Artifact]
    notes: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return the report for JSON."""
        return {
            "schema": SCHEMA,
            "name": self.name,
            "class_name": self.class_name,
            "artifacts": {path: asdict(artifact) for path, artifact in self.artifacts.items()},
            "notes": list(self.notes),
        }
