"""Two reports held against each other."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from edgepack.bundle import MANIFEST
from edgepack.errors import ReportError
from edgepack.report.difference import ONLY_A, ONLY_B, Difference, Side, differences
from edgepack.report.figures import Figure, bundle_figures, firmware_figures
from edgepack.report.reading import SCHEMA, Node, read_json

_REPORT = "report.json"
_FIRMWARE = "firmware"
_KINDS = {"layout": _FIRMWARE, "artifact": "a validation", "comparison": "an export"}
"""What a report is of, by a key that it has, and those further down have not."""


def diff(a: Path | str, b: Path | str) -> Difference:
    """Tell what became better or worse from one report to another.

    Each is a folder that edgepack exported, quantized or wrote firmware to, its report.json, or a
    file of what ``edgepack validate --format json`` printed. Raises
    :class:`~edgepack.errors.ReportError` for what is none of these, for firmware held against
    something else, and for reports that have no figure in common.
    """
    first, second = given = [_read(Path(path)) for path in (a, b)]
    if first.kind != second.kind and _FIRMWARE in (first.kind, second.kind):
        raise ReportError(
            f"{first.report.file}: is {first.kind}, {second.report.file} is {second.kind}; compare"
            " firmware with firmware"
        )
    is_named = any(map(_has_names, given))
    old, new = (_figures(each, is_named=is_named) for each in given)
    rows = differences(old, new)
    if all(row.verdict in (ONLY_A, ONLY_B) for row in rows):  # or nothing would pass for not worse
        raise ReportError(
            f"{first.report.file}: has no figure that {second.report.file} has too; compare reports"
            " of the same kind"
        )
    return Difference(a=_side(first), b=_side(second), rows=rows)


@dataclass(frozen=True)
class _Given:
    """A report that was read, what it is of, and the manifest beside it, if there is one."""

    kind: str
    report: Node
    manifest: Node


def _read(path: Path) -> _Given:
    is_folder = os.path.isdir(path)  # noqa: PTH112 (Path.is_dir raises for some names)
    file = path / _REPORT if is_folder else path
    report = read_json(file)
    keys = report.children()
    kind = next((told for key, told in _KINDS.items() if key in keys), None)
    if kind is None:
        raise ReportError(
            f"{report.file}: no report of export, quantize, validate or firmware; give their"
            " folder, report.json or JSON"
        )
    if (schema := report["schema"].number()) != SCHEMA:
        raise ReportError(
            f"{report.file}: schema {schema}; this edgepack reads schema {SCHEMA}; compare with"
            " the edgepack that wrote it"
        )
    beside = file.with_name(MANIFEST)
    has_manifest = file.name == _REPORT and beside.is_file()
    return _Given(kind, report, read_json(beside) if has_manifest else Node("", "", None))


def _has_names(given: _Given) -> bool:
    """Whether several outputs, or models of firmware, are told apart by their names."""
    outputs = given.report["comparison"]["outputs"].children()
    return max(len(outputs), len(given.report["models"].children())) > 1


def _figures(given: _Given, *, is_named: bool) -> Iterator[Figure]:
    if given.kind == _FIRMWARE:
        return firmware_figures(given.report, is_named=is_named)
    return bundle_figures(given.report, given.manifest, is_named=is_named)


def _side(given: _Given) -> Side:
    report, compared = given.report, given.report["comparison"]
    return Side(
        file=report.file,
        kind=given.kind,
        model=", ".join(report["models"].children()) or report["model"].text(),
        data=compared["data"].text() or report["data"].text(),
        samples=compared["samples"].number() or report["samples"].number(),
    )
