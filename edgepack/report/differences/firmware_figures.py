"""The figures of firmware."""

from __future__ import annotations

from collections.abc import Iterator

from edgepack.report.differences.common_figures import file, judged, word_figure
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
    """Take the figures out of the report of firmware.

    ``is_named`` says that models are told apart by their names.
    """
    yield verdict_figure("firmware", VERDICT, word_figure(report))
    yield size_figure("flash", report["flash_bytes"])
    yield size_figure("RAM", report["ram_bytes"])
    for name, model in report["models"].children().items():
        start = f"{name}: " if is_named else ""
        yield from judged(start, model["target"])
        yield from file(f"{start}model", model["artifact"])
        yield size_figure(f"{start}arena", model["arena_bytes"])
        yield other_figure(f"{start}operator", SETTING, model["operators"].texts())
        yield other_figure(f"{start}test vectors", COUNT, model["vectors"].number())
    for key in ("target", "layout"):
        yield other_figure(key, SETTING, report[key].text())
