"""The study of weights in fixed point: what each number of bits costs."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from edgepack.core.schema_version import SCHEMA
from edgepack.evaluation.scores import Score
from edgepack.report.format.amounts import cells, number
from edgepack.report.format.text_table import NONE, table


@dataclass(frozen=True, kw_only=True)
class Simulated:
    """A simulated model: how its weights were rounded, and the score of each output by name."""

    bits: int
    rounding: str
    outputs: dict[str, Score]


@dataclass(frozen=True, kw_only=True)
class StudyReport:
    """A float model on LiteRT, and with its weights in fewer and fewer bits.

    ``metrics`` and ``float_values`` are by output; None where there is nothing to measure it
    against. ``seed`` is that of stochastic rounding.
    """

    model: str
    samples: int
    seed: int
    metrics: dict[str, str | None]
    float_values: dict[str, float | None]
    simulated: tuple[Simulated, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return what study.json holds."""
        return (
            {"schema": SCHEMA} | asdict(self) | {"simulated": [asdict(s) for s in self.simulated]}
        )


def render_study(report: StudyReport) -> str:
    """Write a table for each output: a row for each number of bits and each rounding."""
    return "\n\n".join(
        (f"output {output}\n" if len(report.metrics) > 1 else "") + table(_rows(report, output))
        for output in report.metrics
    )


def _rows(report: StudyReport, output: str) -> list[list[str]]:
    metric = report.metrics[output]
    rows = [
        ["weights", "rounding", metric or NONE, "agreement", "SQNR", "max error"],
        ["float", NONE, number(report.float_values[output]), NONE, NONE, NONE],
    ]
    rows += [
        [f"{each.bits} bits", each.rounding, *cells(each.outputs[output])]
        for each in report.simulated
    ]
    if metric is None:
        for row in rows:
            del row[2]
    return rows
