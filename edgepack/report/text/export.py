"""The report of an export as plain text: a table for each output, the targets, the verdict."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from edgepack.compression import find_technique
from edgepack.config.quantization import FLOAT_TFLITE, tflite_name
from edgepack.evaluation.deviation import Deviation
from edgepack.evaluation.lost_channels import worst_channels
from edgepack.evaluation.scores import OutputComparison
from edgepack.report.data.export import CalibrationReport, ExportReport
from edgepack.report.format.amounts import format_four_decimals, interpreter_label, score_cells
from edgepack.report.format.text_table import (
    NONE,
    hanging_paragraph,
    list_names,
    note_paragraphs,
    text_table,
)
from edgepack.report.text.target import render_findings, render_targets
from edgepack.report.text.verdict_line import verdict_line
from edgepack.tflite.converter_names import split_fused_name


def render_export(report: ExportReport) -> str:
    """Return the report of an export as plain text; the verdict is the last line."""
    parts = [
        *_tables(report),
        OFF_REFERENCE,
        _facts(report),
        note_paragraphs([*report.notes, *(finding.note for finding in report.lint)]),
        render_targets(report.targets),
        render_findings(report.targets),
        verdict_line(report.targets, report.comparison, report.budgets, report.lint, report.notes),
    ]
    return "\n\n".join(part for part in parts if part)


def _tables(report: ExportReport) -> Iterator[str]:
    outputs = report.comparison.outputs
    for name in outputs:
        title = f"output {name}\n" if len(outputs) > 1 else ""
        yield title + text_table(_rows(report, name)) + channels_line(outputs[name])


def _rows(report: ExportReport, output: str) -> list[list[str]]:
    comparison = report.comparison.outputs[output]
    heading = ["model", "interpreter", comparison.metric or NONE, "agreement", "SQNR"]
    rows = [
        [*heading, "max error", "off reference"],
        ["float", report.float_runtime, format_four_decimals(comparison.float_value), *[NONE] * 4],
    ]
    rows += [
        [step.stage, step.record.runtime, *score_cells(step.outputs.get(output)), NONE]
        for step in report.compression
    ]
    for name, runtime in report.runtimes.items():
        off = off_reference(runtime.failure, runtime.deviations.get(output))
        scores = score_cells(comparison.quantized.get(name))
        rows.append([report.comparison.scheme, interpreter_label(comparison, name), *scores, off])
    if comparison.metric is None:
        for row in rows:
            del row[2]
    return rows


OFF_REFERENCE = (
    "off reference: largest difference from the reference kernels of tflite-runtime, in steps (LSB)"
)


def channels_line(comparison: OutputComparison | None) -> str:
    """Return a line below an output's table on its worst channels; empty if all are well resolved.

    The SQNR over all channels does not show them.
    """
    worst = worst_channels(comparison.channels.values()) if comparison else None
    return f"\n\n{hanging_paragraph('channels  ', f'worst {worst}')}" if worst else ""


def off_reference(failure: str | None, deviation: Deviation | None) -> str:
    """Return an interpreter's largest deviation from the reference kernels."""
    if failure:
        return "failed"
    if deviation is None:
        return NONE
    return deviation.largest if deviation.max_lsb else "bit-exact"


def render_ranges(calibration: CalibrationReport) -> str:
    """Return a table of the requested and the represented range of each activation."""
    rows = [["activation", "type", "requested range", "represented", "scale", "zero point"]]
    for effect in calibration.activations.values():
        ends = [f"{ends.min:.4g} to {ends.max:.4g}" for ends in (effect.asked, effect.represented)]
        if effect.fixed_by:
            ends[1] += f" (by {effect.fixed_by})"
        rows.append(
            [effect.layer, effect.dtype, *ends, f"{effect.scale:.5g}", str(effect.zero_point)]
        )
    return text_table(rows)


def _ranges(calibration: CalibrationReport) -> str:
    if calibration.observer is None:
        return "ranges    from --ranges"
    text = f"ranges    {calibration.observer}"
    if calibration.samples:
        text += f" over {calibration.samples:,} samples"
    if calibration.growth:
        half = calibration.growth[-1]
        mean, least = f"{1 - half.mean:.1%}", f"{1 - half.largest:.1%}"
        text += (
            f";\n          {half.samples:,} of them, drawn at random, already covered {mean}"
            f" of each range\n          on average, {least} at worst"
        )
    return text


def _facts(report: ExportReport) -> str:
    names = (FLOAT_TFLITE, tflite_name(report.comparison.scheme))
    sizes = [f"{name} {report.artifacts[name].bytes:,} B" for name in names]
    lines = [f"size      {', '.join(sizes)}"]
    if report.quantization.in_float:
        left = [split_fused_name(name)[0] for name in report.quantization.in_float]
        lines.append(f"in float  {list_names(left)}")
    if report.calibration:
        lines.append(_ranges(report.calibration))
    if report.compression:
        lines += _compression(report)
    return "\n".join(lines)


def _compression(report: ExportReport) -> Iterator[str]:
    for step in report.compression:
        how, *more = step.summary
        yield _fact(step.stage, how)
        yield from (_fact("", line) for line in more)
    yield _fact(
        "zeros",
        f"{report.sparsity.float.overall:.1%} of the float weights,"
        f" {report.sparsity.quantized.overall:.1%} of the {report.comparison.scheme} weights",
    )
    yield from dict.fromkeys(
        _fact("", f"not {find_technique(step.technique).stage} ({reason}): {list_names(names)}")
        for step in report.compression
        for reason, names in _by_reason(step.record.left_out).items()
    )


def _by_reason(left_out: Mapping[str, str]) -> dict[str, list[str]]:
    """Group layers by the reason why they were left out."""
    return {
        reason: [name for name, why in left_out.items() if why == reason]
        for reason in dict.fromkeys(left_out.values())
    }


def _fact(name: str, text: str) -> str:
    return f"{name:<9} {text}"
