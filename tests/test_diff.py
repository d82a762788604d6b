"""edgepack diff of exports, validations and firmware: what became better or worse."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from export_reports import (
    EXPORT,
    FIRMWARE,
    INT8,
    MODEL,
    NANO,
    OUTPUT,
    SCORE,
    VALIDATION,
    comparison_of,
    file,
    on_nano,
)
from report_differences import DifferenceOf, Write, changed, row

from edgepack.config.diff import DiffConfig
from edgepack.config.quantization import Quantization
from edgepack.core.errors import ReportError
from edgepack.devices.target import load_target
from edgepack.evaluation.deviation import Deviation
from edgepack.evaluation.scores import Comparison
from edgepack.pipeline.diff import diff
from edgepack.report.data.export import ExportReport
from edgepack.report.text.diff import render_difference
from edgepack.storage.text_files import write_json
from edgepack.tflite.sparsity import Sparsity


@pytest.mark.parametrize("report", [EXPORT, VALIDATION, FIRMWARE])
def test_a_report_does_not_differ_from_itself(difference_of: DifferenceOf, report: Any) -> None:
    difference = difference_of(report, report)
    assert changed(difference) == {}
    assert len(difference.rows) > 10
    assert difference.exit_status == 0
    text = render_difference(difference)
    assert text.endswith(
        f"NOT WORSE: no figure in both reports differs; {len(difference.rows)} figures are the same"
    )


def test_every_figure_of_a_report_is_compared(difference_of: DifferenceOf) -> None:
    # If a key of a report is renamed, its figure is missing here.
    whats = {row.what for row in difference_of(EXPORT, EXPORT).rows}
    assert whats >= {
        *(f"{NANO}: {what}" for what in ("verdict", "flash", "RAM", "arena")),
        *(f"tflm: {what}" for what in ("accuracy", "agreement", "SQNR", "max error", "version")),
        *("tflm", "tflm: off reference", "float: accuracy", "quantized model", "float.tflite"),
        *("zeros in the float model", "zeros in the quantized model", "observer", "scheme"),
        *("samples compared", "samples calibrated with", "scales of dense layers", "pruning"),
    }
    whats = {row.what for row in difference_of(VALIDATION, VALIDATION).rows}
    assert {"tflm: median time on the host", "tflm: memory on the host", "file"} <= whats


@pytest.mark.parametrize(
    ("change", "what", "verdict", "change_text"),
    [
        ({"value": 0.91}, "accuracy", "better", "+1.00 points"),
        ({"value": 0.89}, "accuracy", "worse", "-1.00 points"),
        ({"agreement": 1.0}, "agreement", "better", "+1.00 points"),
        ({"sqnr_db": 26.04}, "SQNR", "worse", "-3 dB"),
        ({"max_abs_error": 0.31}, "max error", "worse", "+100%"),
    ],
)
def test_scores_know_which_way_is_better(
    difference_of: DifferenceOf, change: dict[str, float], what: str, verdict: str, change_text: str
) -> None:
    output = replace(OUTPUT, quantized={"tflm": replace(SCORE, **change)})
    difference = difference_of(EXPORT, replace(EXPORT, comparison=comparison_of(output)))
    assert changed(difference) == {f"tflm: {what}": verdict}
    assert difference.exit_status == (1 if verdict == "worse" else 0)
    (line,) = [
        line for line in render_difference(difference).splitlines() if line.startswith(verdict)
    ]
    assert line.endswith(change_text)


def test_less_of_an_error_is_better_and_five_digits_are_compared(
    difference_of: DifferenceOf,
) -> None:
    def report(error: float) -> ExportReport:
        score = replace(SCORE, value=error, agreement=None)
        output = replace(OUTPUT, metric="mse", float_value=2e-5, quantized={"tflm": score})
        return replace(EXPORT, comparison=comparison_of(output))

    difference = difference_of(report(0.000031), report(0.000030))
    assert changed(difference) == {"tflm: mse": "better"}
    assert row(difference, "tflm: mse").percent == pytest.approx(-100 / 31)


@pytest.mark.parametrize(
    ("metric", "word"),
    [("psnr", "better"), ("top-5", "better"), ("mae", "worse"), ("os:abort", "different")],
)
def test_which_way_is_better_depends_on_the_metric_and_no_function_is_run_for_it(
    difference_of: DifferenceOf, metric: str, word: str
) -> None:
    def report(value: float) -> ExportReport:
        output = replace(OUTPUT, metric=metric, quantized={"tflm": replace(SCORE, value=value)})
        return replace(EXPORT, comparison=comparison_of(output))

    assert changed(difference_of(report(0.5), report(0.75))) == {f"tflm: {metric}": word}


def test_figures_that_reports_print_the_same_are_the_same(difference_of: DifferenceOf) -> None:
    score = replace(SCORE, value=0.9 + 1e-12, sqnr_db=29.0401, max_abs_error=0.15500001)
    output = replace(OUTPUT, quantized={"tflm": score})
    assert changed(difference_of(EXPORT, replace(EXPORT, comparison=comparison_of(output)))) == {}


def test_bytes_are_exact_and_less_is_better(difference_of: DifferenceOf) -> None:
    after = replace(EXPORT, targets={NANO: on_nano(arena=22848)})
    difference = difference_of(EXPORT, after)
    assert changed(difference) == {f"{NANO}: arena": "worse", f"{NANO}: RAM": "worse"}
    assert row(difference, f"{NANO}: arena").change == 16
    assert "22,832 B  22,848 B  +16 B (+0.0701%)" in render_difference(difference)


def test_a_verdict_comes_first_with_the_reasons_that_are_new(difference_of: DifferenceOf) -> None:
    after = replace(
        EXPORT,
        targets={NANO: on_nano("the arena takes 300,000 bytes of 183,500", arena=300_000)},
    )
    difference = difference_of(EXPORT, after)
    assert difference.rows[0].verdict == "worse"
    assert (difference.rows[0].a, difference.rows[0].b) == ("passed", "failed")
    text = render_difference(difference)
    assert f"worse      {NANO}: reason in B: the arena takes 300,000 bytes of 183,500" in text
    back = diff(DiffConfig(a=Path(difference.b.file), b=Path(difference.a.file)))
    assert f"better     {NANO}: reason in A: the arena takes" in render_difference(back)
    assert back.exit_status == 0


def test_a_reason_with_other_numbers_is_no_new_reason(difference_of: DifferenceOf) -> None:
    sizes = ("300,000", "290,000")
    a, b = (
        replace(EXPORT, targets={NANO: on_nano(f"the arena takes {size} bytes")}) for size in sizes
    )
    difference = difference_of(a, b)
    assert changed(difference) == {f"{NANO}: reason": "different"}
    assert render_difference(difference).count("reason in") == 2


def test_a_reason_of_another_layer_is_a_new_reason(difference_of: DifferenceOf) -> None:
    before, after = ["conv2d_1 is in float"], ["conv2d_1 is in float", "conv2d_2 is in float"]
    a, b = (replace(EXPORT, targets={NANO: on_nano(*each)}) for each in (before, after))
    difference = difference_of(a, b)
    assert changed(difference) == {f"{NANO}: reason": "worse"}


def test_a_target_that_is_new_is_not_worse(difference_of: DifferenceOf) -> None:
    failing = replace(on_nano("it is too small"), target=load_target("rp2040"))
    after = replace(EXPORT, targets={NANO: on_nano(), "rp2040": failing})
    difference = difference_of(EXPORT, after)
    assert set(changed(difference).values()) == {"only in B"}
    assert "only in B  rp2040: verdict, " in render_difference(difference)


def test_an_interpreter_that_now_fails_is_worse(difference_of: DifferenceOf) -> None:
    failed = replace(EXPORT.runtimes["tflm"], failure="no kernel for GELU", deviations={})
    after = replace(
        EXPORT,
        runtimes={"tflm": failed},
        comparison=comparison_of(replace(OUTPUT, quantized={})),
    )
    difference = difference_of(EXPORT, after)
    assert row(difference, "tflm").verdict == "worse"
    assert row(difference, "tflm: accuracy").verdict == "only in A"
    assert difference.exit_status == 1


def test_settings_are_neither_better_nor_worse(difference_of: DifferenceOf) -> None:
    settings = replace(INT8, layers=(("dense*", "int16"),))
    after = replace(
        EXPORT,
        quantization=replace(EXPORT.quantization, settings=settings, in_float=("embedding",)),
        calibration=replace(EXPORT.calibration, observer="lp", samples=200),
        sparsity=replace(EXPORT.sparsity, float=Sparsity(overall=0.4, layers={})),
    )
    difference = difference_of(EXPORT, after)
    assert set(changed(difference).values()) == {"different"}
    assert difference.exit_status == 0
    text = render_difference(difference)
    for line in ("scheme of layers  - dense*=int16", "left in float  - embedding", "min-max lp"):
        assert line.replace("  ", " ") in " ".join(text.split())
    assert "NOT WORSE: 5 different" in text


def test_the_time_and_kernels_of_a_host_are_not_judged(difference_of: DifferenceOf) -> None:
    before = VALIDATION.runtimes["tflm"]
    slow = replace(
        before,
        latency=replace(before.latency, median_ms=1234.5),
        deviations={"softmax": Deviation(max_lsb=22, mean_lsb=0.3, argmax_disagreements=1)},
    )
    difference = difference_of(VALIDATION, replace(VALIDATION, runtimes={"tflm": slow}))
    assert changed(difference) == {
        "tflm: median time on the host": "different",
        "tflm: off reference": "different",
    }


def test_other_samples_are_pointed_out(difference_of: DifferenceOf) -> None:
    difference = difference_of(EXPORT, replace(EXPORT, comparison=comparison_of(samples=500)))
    text = render_difference(difference)
    assert "an export of kws, 500 test samples" in text
    assert "note: A and B ran on different samples" in text


def test_other_data_of_the_same_size_differ_by_the_manifest(write_report: Write) -> None:
    a, b = write_report("a", EXPORT), write_report("b", EXPORT)
    for folder in (a, b):
        test = {"name": "test.npz", "bytes": 1, "sha256": f"{folder.name}{'0' * 63}"}
        write_json(folder / "manifest.json", {"schema": 1, "recipe": {"test": test, "seed": 0}})
    difference = diff(DiffConfig(a=a, b=b))
    assert changed(difference) == {"test data": "different"}
    assert "note: A and B ran on different samples" in render_difference(difference)


def test_several_outputs_are_named(difference_of: DifferenceOf) -> None:
    worse = replace(OUTPUT, quantized={"tflm": replace(SCORE, value=0.8)})
    both = Comparison(
        scheme="int8", data="test", samples=400, outputs={"softmax": worse, "age": OUTPUT}
    )
    difference = difference_of(EXPORT, replace(EXPORT, comparison=both))
    assert row(difference, "softmax: tflm: accuracy").verdict == "worse"
    assert row(difference, "age: tflm: accuracy").verdict == "only in B"


def test_outputs_of_another_name_are_compared_if_there_is_one(difference_of: DifferenceOf) -> None:
    renamed = replace(comparison_of(), outputs={"probabilities": OUTPUT})
    assert changed(difference_of(EXPORT, replace(EXPORT, comparison=renamed))) == {}


def test_schemes_are_compared_by_their_files(difference_of: DifferenceOf) -> None:
    wide = replace(
        EXPORT,
        artifacts={"float.tflite": file(98888), "int16.tflite": file(50000)},
        quantization=replace(EXPORT.quantization, settings=Quantization(scheme="int16")),
        comparison=replace(comparison_of(), scheme="int16"),
    )
    difference = changed(difference_of(EXPORT, wide))
    assert difference["quantized model"] == "worse"
    assert difference["scheme"] == "different"
    assert "tflm: accuracy" not in difference


def test_an_export_is_compared_with_a_validation(difference_of: DifferenceOf) -> None:
    score = replace(SCORE, value=0.85)
    before = replace(EXPORT, quantization=replace(EXPORT.quantization, in_float=("embedding",)))
    after = replace(
        VALIDATION, comparison=comparison_of(replace(OUTPUT, quantized={"tflm": score}))
    )
    difference = difference_of(before, after)
    shared = {
        what: word for what, word in changed(difference).items() if not word.startswith("only")
    }
    assert shared == {"tflm: accuracy": "worse"}
    assert "only in A  float.tflite, " in render_difference(difference)


def test_firmware_is_compared_with_firmware(difference_of: DifferenceOf) -> None:
    model = replace(MODEL, arena_bytes=30000, operators=("CONV_2D", "RESHAPE"))
    after = replace(FIRMWARE, models={"kws": model}, layout="arduino", flash_bytes=141000)
    difference = difference_of(FIRMWARE, after)
    assert changed(difference) == {
        "flash": "better",
        "arena": "worse",
        "operator": "different",
        "layout": "different",
    }
    operators = {(row.a, row.b) for row in difference.rows if row.what == "operator"}
    assert operators == {("CONV_2D", "CONV_2D"), (None, "RESHAPE"), ("SOFTMAX", None)}


def test_firmware_against_a_model_is_refused(difference_of: DifferenceOf) -> None:
    with pytest.raises(ReportError, match="compare firmware with firmware"):
        difference_of(FIRMWARE, EXPORT)


def test_reports_of_older_versions_lack_some_figures(write_report: Write) -> None:
    new, old = write_report("new", EXPORT), write_report("old", EXPORT)
    report = json.loads((old / "report.json").read_text())
    del report["quantization"], report["float_runtime"]
    report["targets"] = {NANO: {"passed": False, "reasons": ["tflm fails"]}}
    write_json(old / "report.json", report)
    difference = diff(DiffConfig(a=old, b=new))
    assert row(difference, f"{NANO}: verdict").verdict == "better"
    assert row(difference, "quantized model").verdict == "same"
    assert row(difference, f"{NANO}: arena").verdict == "only in B"


@pytest.mark.parametrize(
    ("check", "verdicts"), [("ram_fits", {"different"}), ("x", {"better", "worse"})]
)
def test_a_reason_is_paired_by_its_check_if_another_version_words_it_differently(
    write_report: Write, check: str, verdicts: set[str]
) -> None:
    folders = []
    for name, message, of in (("old", "takes too much", "ram_fits"), ("new", "needs more", check)):
        folder = write_report(name, EXPORT)
        report = json.loads((folder / "report.json").read_text())
        finding = {"check": of, "message": message, "cure": "prune it", "layer": "dense"}
        report["targets"] = {
            NANO: {
                "passed": False,
                "reasons": [f"{message} (dense); prune it"],
                "findings": [finding | {"operator": None, "is_note": False}],
            }
        }
        write_json(folder / "report.json", report)
        folders.append(folder)
    rows = [
        row
        for row in diff(DiffConfig(a=folders[0], b=folders[1])).rows
        if row.what == f"{NANO}: reason"
    ]
    assert {row.verdict for row in rows} == verdicts
