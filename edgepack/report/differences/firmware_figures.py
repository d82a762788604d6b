"""The figures of firmware."""

from __future__ import annotations

from collections.abc import Iterator

from edgepack.report.differences.common_figures import file_figures, verdict_figures, verdict_word
from edgepack.report.differences.figure_kinds import (
    COUNT,
    SETTING,
    VERDICT,
    Figure,
    other_figure,
    size_figure,
    verdict_figure,
)
from edgepack.report.differences.read_report import Node


def firmware_figures(report: Node, *, is_named: bool) -> Iterator[Figure]:
    """Return the figures of the report of firmware.

    ``is_named`` is whether figures include the names of models.
    """
    yield verdict_figure("firmware", VERDICT, verdict_word(report))
    yield size_figure("flash", report["flash_bytes"])
    yield size_figure("RAM", report["ram_bytes"])
    for name, model in report["models"].children().items():
        start = f"{name}: " if is_named else ""
        yield from verdict_figures(start, model["target"])
        yield from file_figures(f"{start}model", model["artifact"])
        yield size_figure(f"{start}arena", model["arena_bytes"])
        yield other_figure(f"{start}operator", SETTING, model["operators"].texts())
        yield other_figure(f"{start}test vectors", COUNT, model["vectors"].number())
    for key in ("target", "layout"):
        yield other_figure(key, SETTING, report[key].text())
