"""The report of what was written for phones: data first, text below."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from edgepack.report.format.text_table import hang, table
from edgepack.storage.artifact import Artifact


@dataclass(frozen=True, kw_only=True)
class PhoneReport:
    """What was written: the model's name, the files, and what there is to say about them.

    ``class_name`` is that of the class in Kotlin and in Swift.
    """

    name: str
    class_name: str
    artifacts: Mapping[str, Artifact]
    notes: tuple[str, ...] = ()


_WHAT = {
    ".tflite": "the model, with metadata",
    ".kt": "a class for Android",
    ".swift": "a class for iOS",
}


def render_phone(report: PhoneReport) -> str:
    """Write a table of the files, and the notes."""
    rows = [["file", "holds", "bytes"]]
    for name, artifact in report.artifacts.items():
        what = next(what for suffix, what in _WHAT.items() if name.endswith(suffix))
        rows.append([name, what, f"{artifact.bytes:,}"])
    notes = [hang("note  ", note) for note in report.notes]
    return "\n".join([table(rows), *([""] if notes else []), *notes])
