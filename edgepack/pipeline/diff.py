"""The comparison of two reports."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from edgepack.config.checked_call import takes
from edgepack.config.diff import DiffConfig
from edgepack.core.errors import ReportError
from edgepack.core.former_names import former_call
from edgepack.core.schema_version import SCHEMA
from edgepack.report.differences.comparison_figures import (
    StageNames,
    comparison_figures,
    names_needed,
)
from edgepack.report.differences.difference import ONLY_A, ONLY_B, DiffReport, Side, compare_figures
from edgepack.report.differences.export_figures import export_figures
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
"""The kind of a report by a key that identifies it; the first match wins."""


@former_call(lambda a, b: DiffConfig(a=a, b=b), "diff(a, b)", "diff(DiffConfig(a=a, b=b))")
@takes(DiffConfig)
def diff(config: DiffConfig) -> DiffReport:
    """Report which figures became better or worse from one report to another.

    Raises :class:`~edgepack.core.errors.ReportError` for what is no report, for a firmware or
    comparison report against one of another kind, and for reports without a figure in common.
    """
    first, second = [_read(path) for path in (config.a, config.b)]
    kinds = [first.kind, second.kind]
    exclusive = [kind for kind in (_FIRMWARE, _COMPARISON) if kind in kinds]
    if exclusive and first.kind != second.kind:
        raise ReportError(
            f"{first.report.file} is {first.kind} and {second.report.file} is {second.kind};"
            f" compare {exclusive[0]} with {exclusive[0].replace('a ', 'another ', 1)}"
        )
    old, new = _figures(first, second)
    rows = compare_figures(old, new)
    if all(row.verdict in (ONLY_A, ONLY_B) for row in rows):  # must not pass as "not worse"
        raise ReportError(
            f"{first.report.file}: has no figure in common with {second.report.file}; compare"
            " reports of the same kind"
        )
    return DiffReport(a=_side(first), b=_side(second), rows=rows)


@dataclass(frozen=True)
class _ReadReport:
    """A parsed report, its kind, and the manifest beside it; an empty node if there is none."""

    kind: str
    report: Node
    manifest: Node


def _read(path: Path) -> _ReadReport:
    is_folder = os.path.isdir(path)  # noqa: PTH112 (Path.is_dir raises for some names)
    file = path / _REPORT if is_folder else path
    report = read_json(file)
    keys = report.children()
    kind = next((name for key, name in _KINDS.items() if key in keys), None)
    if kind is None:
        raise ReportError(
            f"{report.file}: not a report of export, quantize, validate, compare or firmware; give"
            " their folder, report.json or JSON"
        )
    if (schema := report["schema"].number()) != SCHEMA:
        raise ReportError(
            f"{report.file}: schema {schema}; this edgepack reads schema {SCHEMA}; compare with"
            " the version of edgepack that wrote it"
        )
    beside = file.with_name(MANIFEST)
    has_manifest = file.name == _REPORT and beside.is_file()
    return _ReadReport(kind, report, read_json(beside) if has_manifest else Node("", "", None))


def _figures(*reports: _ReadReport) -> Iterator[Iterator[Figure]]:
    """Extract the figures of reports.

    If one report has several outputs or models, the figures of all reports are named after them.
    """
    if reports[0].kind == _COMPARISON:
        needed = [names_needed(each.report) for each in reports]
        names = StageNames(
            outputs=any(each.outputs for each in needed), models=any(each.models for each in needed)
        )
        return (comparison_figures(each.report, names) for each in reports)
    is_named = any(map(_has_names, reports))
    if reports[0].kind == _FIRMWARE:
        return (firmware_figures(each.report, is_named=is_named) for each in reports)
    return (export_figures(each.report, each.manifest, is_named=is_named) for each in reports)


def _has_names(read: _ReadReport) -> bool:
    """Whether a report has several outputs, or several models of firmware, to name."""
    outputs = read.report["comparison"]["outputs"].children()
    return max(len(outputs), len(read.report["models"].children())) > 1


def _side(read: _ReadReport) -> Side:
    report, comparison = read.report, read.report["comparison"]
    if read.kind == _COMPARISON:
        data: str | None = "test"
    else:
        data = comparison["data"].text() or report["data"].text()
    return Side(
        file=report.file,
        kind=read.kind,
        model=", ".join(report["models"].children()) or report["model"].text(),
        data=data,
        samples=comparison["samples"].number() or report["samples"].number(),
    )
