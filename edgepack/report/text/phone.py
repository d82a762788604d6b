"""The report of ``edgepack phone`` as plain text."""

from __future__ import annotations

from edgepack.report.data.phone import PhoneReport
from edgepack.report.format.text_table import hanging_paragraph, text_table

_WHAT = {
    ".tflite": "the model, with metadata",
    ".kt": "a class for Android",
    ".swift": "a class for iOS",
}


def render_phone(report: PhoneReport) -> str:
    """Return a table of the files, and the notes."""
    rows = [["file", "holds", "bytes"]]
    for name, artifact in report.artifacts.items():
        what = next(what for suffix, what in _WHAT.items() if name.endswith(suffix))
        rows.append([name, what, f"{artifact.bytes:,}"])
    notes = [hanging_paragraph("note  ", note) for note in report.notes]
    return "\n".join([text_table(rows), *([""] if notes else []), *notes])
