"""A report as a person reads it: a table, the targets, one verdict line."""

from __future__ import annotations

from collections.abc import Sequence

from edgepack.compare import Score
from edgepack.metrics import METRICS
from edgepack.report import Report, RuntimeReport

_NONE = "-"


def render_text(report: Report) -> str:
    """Write a report in a dozen lines of plain text."""
    parts = [
        _table(_rows(report)),
        _facts(report),
        "\n".join(f"note: {note}" for note in report.notes),
        _targets(report),
        _verdict(report),
    ]
    return "\n\n".join(part for part in parts if part)


def _rows(report: Report) -> list[list[str]]:
    comparison = report.comparison
    heading = ["model", "interpreter", comparison.metric or _NONE, "agreement", "SQNR"]
    rows = [
        [*heading, "max error", "off reference", "arena"],
        ["float", "Keras", _number(comparison.float_value), *[_NONE] * 5],
    ]
    if comparison.pruned:
        rows.append(["pruned", "Keras", *_cells(comparison.pruned), _NONE, _NONE])
    for name, runtime in report.runtimes.items():
        arena = _NONE if runtime.arena_bytes is None else f"{runtime.arena_bytes:,} B"
        cells = _cells(comparison.int8.get(name))
        rows.append(["int8", name, *cells, _off_reference(runtime), arena])
    if comparison.metric is None:
        for row in rows:
            del row[2]
    return rows


def _cells(score: Score | None) -> list[str]:
    if score is None:
        return [_NONE] * 4
    return [
        _number(score.value),
        _NONE if score.agreement is None else f"{score.agreement:.2%}",
        _NONE if score.sqnr_db is None else f"{score.sqnr_db:.1f} dB",
        f"{score.max_abs_error:.3g}",
    ]


def _off_reference(runtime: RuntimeReport) -> str:
    if runtime.failure:
        return "failed"
    if runtime.deviation is None:
        return _NONE
    return f"{runtime.deviation.max_lsb} LSB" if runtime.deviation.max_lsb else "bit-exact"


def _facts(report: Report) -> str:
    before, after = report.artifacts["float.tflite"].bytes, report.artifacts["int8.tflite"].bytes
    lines = [f"size      float.tflite {before:,} B, int8.tflite {after:,} B"]
    if any(runtime.arena_bytes is not None for runtime in report.runtimes.values()):
        lines.append("arena     as TFLM's reference kernels take it on this host")
    if report.pruning:
        how = "fine-tuned" if report.pruning.is_fine_tuned else "in one shot, not fine-tuned"
        lines.append(
            f"pruned    {how}; zeros: {report.sparsity.float.overall:.1%} of the float weights,"
            f" {report.sparsity.int8.overall:.1%} of the int8 weights"
        )
        if report.pruning.left_out:
            lines.append(f"          TFMOT cannot prune {', '.join(report.pruning.left_out)}")
    return "\n".join(lines)


def _targets(report: Report) -> str:
    width = max(map(len, report.targets), default=0)
    return "\n".join(
        f"{name:<{width}}  "
        + ("passed" if verdict.passed else f"FAILED: {'; '.join(verdict.reasons)}")
        for name, verdict in report.targets.items()
    )


def _verdict(report: Report) -> str:
    comparison = report.comparison
    word = "PASSED" if report.passed else "FAILED"
    samples = f"{comparison.samples:,} {comparison.data} samples"
    if not comparison.int8:
        return f"{word}: no interpreter ran the int8 model"
    if comparison.metric is None or comparison.float_value is None:
        worst = max(comparison.int8.values(), key=lambda score: score.max_abs_error)
        agreement = (
            "" if worst.agreement is None else f"agrees with float on {worst.agreement:.2%}, "
        )
        noise = f"max error {worst.max_abs_error:.3g}"
        if worst.sqnr_db is not None:
            noise = f"SQNR {worst.sqnr_db:.1f} dB, {noise}"
        return f"{word}: int8 {agreement}{noise} ({samples})"
    metric = METRICS[comparison.metric]
    values = {
        name: score.value for name, score in comparison.int8.items() if score.value is not None
    }
    pick = min if metric.is_fraction else max
    name = pick(values, key=lambda key: values[key])
    value, change = values[name], values[name] - comparison.float_value
    if metric.is_fraction:
        amount = f"{100 * change:+.2f} points"
    else:
        amount = f"{change / comparison.float_value:+.2%}" if comparison.float_value else "from 0"
    return (
        f"{word}: int8 {metric.name} {_number(value)} at worst ({name}), float"
        f" {_number(comparison.float_value)}: {amount} on {samples}"
    )


def _number(value: float | None) -> str:
    if value is None:
        return _NONE
    return f"{value:.4f}"


def _table(rows: Sequence[Sequence[str]]) -> str:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    left = 2  # the first columns are names, the others numbers
    lines = []
    for row in rows:
        cells = [
            cell.ljust(width) if column < left else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)
