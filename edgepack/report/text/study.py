"""The report of ``edgepack study`` as plain text."""

from __future__ import annotations

from edgepack.report.data.study import StudyReport
from edgepack.report.format.amounts import format_four_decimals, score_cells
from edgepack.report.format.text_table import NONE, text_table


def render_study(report: StudyReport) -> str:
    """Return a table for each output: a row for each number of bits and each rounding."""
    return "\n\n".join(
        (f"output {output}\n" if len(report.metrics) > 1 else "")
        + text_table(_rows(report, output))
        for output in report.metrics
    )


def _rows(report: StudyReport, output: str) -> list[list[str]]:
    metric = report.metrics[output]
    rows = [
        ["weights", "rounding", metric or NONE, "agreement", "SQNR", "max error"],
        ["float", NONE, format_four_decimals(report.float_values[output]), NONE, NONE, NONE],
    ]
    rows += [
        [f"{each.bits} bits", each.rounding, *score_cells(each.outputs[output])]
        for each in report.simulated
    ]
    if metric is None:
        for row in rows:
            del row[2]
    return rows
