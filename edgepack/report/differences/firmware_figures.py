"""The figures of firmware."""

from __future__ import annotations

from collections.abc import Iterator

from edgepack.report.differences.common_figures import file, judged, word
from edgepack.report.differences.figure_kinds import (
    COUNT,
    SETTING,
    VERDICT,
    Figure,
    rest,
    size,
    verdict,
)
from edgepack.report.differences.read_report import Node


def firmware_figures(report: Node, *, is_named: bool) -> Iterator[Figure]:
    """Take the figures out of the report of firmware.

    ``is_named`` says that models are told apart by their names.
    """
    yield verdict("firmware", VERDICT, word(report))
    yield size("flash", report["flash_bytes"])
    yield size("RAM", report["ram_bytes"])
    for name, model in report["models"].children().items():
        start = f"{name}: " if is_named else ""
        yield from judged(start, model["target"])
        yield from file(f"{start}model", model["artifact"])
        yield size(f"{start}arena", model["arena_bytes"])
        yield rest(f"{start}operator", SETTING, model["operators"].texts())
        yield rest(f"{start}test vectors", COUNT, model["vectors"].number())
    for key in ("target", "layout"):
        yield rest(key, SETTING, report[key].text())
