"""The page of a validation."""

from __future__ import annotations

from collections.abc import Iterator

from edgepack.core.wording import counted
from edgepack.report.data.validate import ValidateReport
from edgepack.report.document.block_shortcuts import (
    number_column,
    table_block,
    text_column,
    toned_row,
)
from edgepack.report.document.blocks import Document, Row, Section, Tone
from edgepack.report.format.amounts import format_four_decimals, sampled_label
from edgepack.report.format.text_table import NONE
from edgepack.report.pages.outcome import outcome_headline
from edgepack.report.sections.models_table import scores_section
from edgepack.report.sections.notes import notes_section
from edgepack.report.sections.provenance_tables import provenance_section
from edgepack.report.sections.target_verdicts import target_verdicts_section
from edgepack.report.text.export import off_reference
from edgepack.report.text.validate import cost_cells


def validation_document(report: ValidateReport) -> Document:
    """Return the page of a validation."""
    sections = (
        target_verdicts_section({report.model: report.targets}),
        scores_section(report.comparison, NONE) if report.comparison else None,
        _runtimes(report),
        notes_section(report.notes),
        provenance_section({}, {}, {}, {report.model: report.artifact}),
    )
    return Document(
        title=f"{report.model} on its targets",
        subtitle=f"Run on {counted(report.samples, 'sample')} of {report.data} data",
        headline=outcome_headline(
            report.targets, report.comparison, report.budgets, notes=report.notes
        ),
        sections=tuple(section for section in sections if isinstance(section, Section)),
    )


def _runtimes(report: ValidateReport) -> Section | None:
    if not report.runtimes:
        return None
    columns = [
        text_column("interpreter"),
        text_column("version"),
        text_column("off reference", "largest difference from the reference kernels"),
        *(number_column(title) for title in _own_metrics(report).values()),
        number_column("median", "of one inference, on one thread"),
        number_column("90th pct", "90th percentile: 90% of inferences take no longer"),
        number_column("of float", "time divided by that of the float model"),
        number_column("memory", "peak of the interpreter's process"),
    ]
    return Section(
        id="interpreters",
        title="Interpreters",
        lead="Time and memory are this machine's, not a device's.",
        blocks=(table_block("How the interpreters ran the model", columns, list(_rows(report))),),
    )


def _rows(report: ValidateReport) -> Iterator[Row]:
    for name, run in report.runtimes.items():
        off = max(run.deviations.values(), key=lambda each: each.max_lsb, default=None)
        cells = [
            sampled_label(name, run.sampled),
            run.version,
            run.failure or off_reference(None, off),
            *(format_four_decimals(run.values.get(output)) for output in _own_metrics(report)),
            *cost_cells(run),
        ]
        yield toned_row(cells, Tone.BAD if run.failure else Tone.PLAIN)


def _own_metrics(report: ValidateReport) -> dict[str, str]:
    """Return the titles of the metrics of the file itself, by output."""
    several = len(report.metrics) > 1
    return {
        output: f"{name} of {output}" if several else name
        for output, name in report.metrics.items()
    }
