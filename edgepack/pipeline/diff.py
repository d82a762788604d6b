"""Two reports held against each other."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from edgepack.core.errors import ReportError
from edgepack.core.schema_version import SCHEMA
from edgepack.report.differences.comparison_figures import (
    StageNames,
    comparison_figures,
    names_needed,
)
from edgepack.report.differences.difference import ONLY_A, ONLY_B, Difference, Side, differences
from edgepack.report.differences.export_figures import bundle_figures
from edgepack.report.differences.figure_kinds import Figure
from edgepack.report.differences.firmware_figures import firmware_figures
from edgepack.report.differences.read_report import Node, read_json
from edgepack.storage.manifest import MANIFEST

_REPORT = "report.json"
_FIRMWARE, _COMPARISON = "firmware", "a comparison"
_KINDS = {
    "layout": _FIRMWARE,
    "stages": _COMPARISON,
    "artifact": "a validation",
    "comparison": "an export",
}
"""What a report is of, by a key that it has, and those further down have not."""


def diff(a: Path | str, b: Path | str) -> Difference:
    """Tell what became better or worse from one report to another.

    Each is a folder that edgepack exported, quantized, compared or wrote firmware to, its
    report.json, or a file of what ``edgepack validate --format json`` printed. Raises
    :class:`~edgepack.core.errors.ReportError` for what is none of these, for firmware or a
    comparison held against something else, and for reports that have no figure in common.
    """
    first, second = [_read(Path(path)) for path in (a, b)]
    kinds = [first.kind, second.kind]
    alone = [kind for kind in (_FIRMWARE, _COMPARISON) if kind in kinds]
    if alone and first.kind != second.kind:
        raise ReportError(
            f"{first.report.file}: is {first.kind}, {second.report.file} is {second.kind}; compare"
            f" {alone[0]} with {alone[0]}"
        )
    old, new = _figures(first, second)
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
            f"{report.file}: no report of export, quantize, validate, compare or firmware; give"
            " their folder, report.json or JSON"
        )
    if (schema := report["schema"].number()) != SCHEMA:
        raise ReportError(
            f"{report.file}: schema {schema}; this edgepack reads schema {SCHEMA}; compare with"
            " the edgepack that wrote it"
        )
    beside = file.with_name(MANIFEST)
    has_manifest = file.name == _REPORT and beside.is_file()
    return _Given(kind, report, read_json(beside) if has_manifest else Node("", "", None))


def _figures(*given: _Given) -> Iterator[Iterator[Figure]]:
    """Take the figures out of reports; what one has several of is told by its names in all."""
    if given[0].kind == _COMPARISON:
        needed = [names_needed(each.report) for each in given]
        names = StageNames(
            outputs=any(each.outputs for each in needed), models=any(each.models for each in needed)
        )
        return (comparison_figures(each.report, names) for each in given)
    is_named = any(map(_has_names, given))
    if given[0].kind == _FIRMWARE:
        return (firmware_figures(each.report, is_named=is_named) for each in given)
    return (bundle_figures(each.report, each.manifest, is_named=is_named) for each in given)


def _has_names(given: _Given) -> bool:
    """Whether several outputs, or models of firmware, are told apart by their names."""
    outputs = given.report["comparison"]["outputs"].children()
    return max(len(outputs), len(given.report["models"].children())) > 1


def _side(given: _Given) -> Side:
    report, compared = given.report, given.report["comparison"]
    data = "test" if given.kind == _COMPARISON else compared["data"].text() or report["data"].text()
    return Side(
        file=report.file,
        kind=given.kind,
        model=", ".join(report["models"].children()) or report["model"].text(),
        data=data,
        samples=compared["samples"].number() or report["samples"].number(),
    )
