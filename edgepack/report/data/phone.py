"""The report of ``edgepack phone``: the files written for phones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

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
