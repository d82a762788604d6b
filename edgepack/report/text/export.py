"""The report of an export as plain text: a table for each output, the targets, the verdict."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from edgepack.compression import find_technique
from edgepack.config.quantization import FLOAT_TFLITE, tflite_name
from edgepack.evaluation.deviation import Deviation
from edgepack.evaluation.scores import OutputComparison, change_in_words
from edgepack.metrics import find_metric
from edgepack.report.data.export import CalibrationReport, Report
from edgepack.report.format.amounts import format_four_decimals, interpreter_label, score_cells
from edgepack.report.format.text_table import NONE, hanging_paragraph, list_names, text_table
from edgepack.report.text.target import render_findings, render_targets
from edgepack.tflite.converter_names import split_fused_name


def render_export(report: Report) -> str:
    """Return the report of an export as plain text; the verdict is the last line."""
    parts = [
        *_tables(report),
        _facts(report),
        "\n".join(hanging_paragraph("note: ", note) for note in report.notes),
        render_targets(report.targets),
        render_findings(report.targets),
        export_verdict(report),
    ]
    return "\n\n".join(part for part in parts if part)


def _tables(report: Report) -> Iterator[str]:
    outputs = report.comparison.outputs
    for name in outputs:
        title = f"output {name}\n" if len(outputs) > 1 else ""
        yield title + text_table(_rows(report, name))


def _rows(report: Report, output: str) -> list[list[str]]:
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
            f";\n          the first {half.samples:,} already covered {mean} of each range on"
            f" average, {least} at worst"
        )
    return text


def _facts(report: Report) -> str:
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


def _compression(report: Report) -> Iterator[str]:
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


def export_verdict(report: Report) -> str:
    """Return one line: whether the model passed, and what quantization costs."""
    comparison = report.comparison
    word = "PASSED" if report.passed else "FAILED"
    if not all(output.quantized for output in comparison.outputs.values()):
        return f"{word}: no interpreter ran the {comparison.scheme} model"
    several = len(comparison.outputs) > 1
    costs = "; ".join(
        f"{name}: {_worst_score(output, comparison.scheme)}"
        if several
        else _worst_score(output, comparison.scheme)
        for name, output in comparison.outputs.items()
    )
    total = f"{comparison.samples:,} {comparison.data} samples"
    is_sampled = any(output.sampled for output in comparison.outputs.values())
    return f"{word}: {costs}; {total} in all" if is_sampled else f"{word}: {costs} on {total}"


def _worst_score(comparison: OutputComparison, scheme: str) -> str:
    """Return in one sentence what quantization costs an output, on the worst interpreter."""
    values = {
        name: score.value for name, score in comparison.quantized.items() if score.value is not None
    }
    lost = {name: drop.amount for name in values if (drop := comparison.drop(name))}
    if comparison.metric is None or not lost:
        worst = max(comparison.quantized.values(), key=lambda score: score.max_abs_error)
        agreement = (
            "" if worst.agreement is None else f"agrees with float on {worst.agreement:.2%}, "
        )
        noise = f"max error {worst.max_abs_error:.3g}"
        if worst.sqnr_db is not None:
            noise = f"SQNR {worst.sqnr_db:.1f} dB, {noise}"
        return f"{scheme} {agreement}{noise}"
    metric = find_metric(comparison.metric)
    name = max(lost, key=lambda key: lost[key])
    float_value = comparison.float_value_on(name)
    assert float_value is not None  # noqa: S101 (there is a drop)
    sampled = comparison.sampled.get(name)
    where, same = name, ""
    if sampled:
        where, same = f"{name}, on {sampled.samples:,} samples", " on the same"
    change = change_in_words(metric, float_value, values[name])
    value, of_float = format_four_decimals(values[name]), format_four_decimals(float_value)
    return f"{scheme} {metric.name} {value} at worst ({where}), float {of_float}{same}: {change}"
