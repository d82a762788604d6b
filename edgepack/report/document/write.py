"""Writing documents to files."""

from __future__ import annotations

from pathlib import Path

from edgepack.report.document.blocks import Document
from edgepack.report.document.html import render_html
from edgepack.report.document.markdown import render_markdown


def write_page(folder: Path, document: Document) -> None:
    """Write a document as report.html and report.md."""
    texts = {"report.html": render_html(document), "report.md": render_markdown(document)}
    for name, text in texts.items():
        (folder / name).write_bytes(text.encode())
