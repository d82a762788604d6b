"""edgepack diff: what became better or worse from one report to another."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from conftest import Bundle, Edgepack

import edgepack as package
from edgepack.checks import Result, Verdict
from edgepack.config.quantization import Quantization
from edgepack.core.errors import ReportError
from edgepack.core.findings import Finding
from edgepack.devices.target import load_target
from edgepack.evaluation.deviation import Deviation
from edgepack.evaluation.scores import Comparison, OutputComparison, Score
from edgepack.footprint import Arena, Footprint
from edgepack.pipeline.diff import diff
from edgepack.report.data.export import (
    CalibrationReport,
    QuantizationReport,
    Report,
    RuntimeReport,
    SparsityReport,
)
from edgepack.report.data.firmware import FirmwareReport, ModelReport
from edgepack.report.data.target import TargetReport
from edgepack.report.data.validation import RuntimeValidation, ValidationReport
from edgepack.report.differences.difference import Difference, DifferenceRow
from edgepack.report.text.difference import render_difference
from edgepack.runtimes.latency import Latency
from edgepack.storage.artifact import Artifact
from edgepack.storage.text_files import write_json
from edgepack.tflite.sparsity import Sparsity

NANO = "nano-33-ble-sense"
SCORE = Score(value=0.9, agreement=0.99, sqnr_db=29.04, max_abs_error=0.155, mean_abs_error=0.01)
OUTPUT = OutputComparison(
    metric="accuracy", float_value=0.92, pruned=None, quantized={"tflm": SCORE}
)
DEVIATION = {"softmax": Deviation(max_lsb=0, mean_lsb=0.0, argmax_disagreements=0)}
INT8 = Quantization()
Write = Callable[[str, Any], Path]


def on_nano(*reasons: str, arena: int = 22832) -> TargetReport:
    """What the board says: it takes so much arena, and fails for these reasons."""
    findings = tuple(Finding(message=reason) for reason in reasons)
    footprint = Footprint(
        arena=Arena(planned=16000, scratch=0, persistent=6820, total=22820, least=arena),
        runtime_flash_bytes=87000,
        runtime_ram_bytes=2048,
        flash_bytes=134672,
        ram_bytes=arena + 2048,
        notes=(),
    )
    return TargetReport(
        target=load_target(NANO),
        verdict=Verdict(results=(Result(check="ram_fits", findings=findings),)),
        flash_bytes=134672,
        ram_bytes=arena + 2048,
        footprint=footprint,
    )


def compared(output: OutputComparison = OUTPUT, samples: int = 400) -> Comparison:
    return Comparison(scheme="int8", data="test", samples=samples, outputs={"softmax": output})


def file(size: int) -> Artifact:
    return Artifact(bytes=size, sha256=f"{size:064x}")


EXPORT = Report(
    model="kws",
    float_runtime="Keras",
    artifacts={"float.tflite": file(98888), "int8.tflite": file(47728)},
    quantization=QuantizationReport(settings=INT8, in_float=(), dense="per-channel"),
    comparison=compared(),
    compression=(),
    calibration=CalibrationReport(observer="min-max", samples=100, growth=(), activations={}),
    runtimes={
        "tflm": RuntimeReport(version="1", deviations=DEVIATION, arena_bytes=22832, failure=None)
    },
    sparsity=SparsityReport(
        float=Sparsity(overall=0.5, layers={}), quantized=Sparsity(overall=0.5, layers={})
    ),
    targets={NANO: on_nano()},
    notes=(),
)
VALIDATION = ValidationReport(
    model="int8.tflite",
    artifact=file(47728),
    data="test",
    samples=400,
    comparison=compared(),
    runtimes={
        "tflm": RuntimeValidation(
            version="1",
            failure=None,
            deviations=DEVIATION,
            latency=Latency(median_ms=2.6, p90_ms=2.7, runs=80, warm_up_runs=3, threads=1),
            latency_ratio=1.4,
            peak_memory_bytes=52 << 20,
        )
    },
    targets={NANO: on_nano()},
    notes=(),
)
MODEL = ModelReport(
    file="kws.tflite",
    artifact=file(53936),
    inputs=(),
    outputs=(),
    operators=("CONV_2D", "SOFTMAX"),
    arena_bytes=22848,
    ram_bytes=24896,
    vectors=4,
    data="random",
    target=on_nano(),
)
FIRMWARE = FirmwareReport(
    target=load_target(NANO),
    layout="cmake",
    models={"kws": MODEL},
    files={"kws/model.c": file(300000)},
    flash_bytes=141409,
)


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write a report, as its command does, into a folder of a name."""

    def write(name: str, report: Any) -> Path:
        folder = tmp_path / name
        folder.mkdir(exist_ok=True)
        write_json(folder / "report.json", report.to_dict())
        return folder

    return write


@pytest.fixture
def differ(write: Write) -> Callable[[Any, Any], Difference]:
    return lambda a, b: diff(write("a", a), write("b", b))


Differ = Callable[[Any, Any], Difference]


def row(difference: Difference, what: str) -> DifferenceRow:
    (found,) = [row for row in difference.rows if row.what == what]
    return found


def told(difference: Difference) -> dict[str, str]:
    return {row.what: row.verdict for row in difference.rows if row.verdict != "same"}


@pytest.mark.parametrize("report", [EXPORT, VALIDATION, FIRMWARE])
def test_a_report_does_not_differ_from_itself(differ: Differ, report: Any) -> None:
    found = differ(report, report)
    assert told(found) == {}
    assert len(found.rows) > 10
    assert found.exit_status == 0
    text = render_difference(found)
    assert text.endswith(
        f"NOT WORSE: no figure in both reports differs; {len(found.rows)} figures are the same"
    )


def test_everything_that_a_report_compares_is_found(differ: Differ) -> None:
    # if a key of a report is renamed, its figure is missing here
    whats = {row.what for row in differ(EXPORT, EXPORT).rows}
    assert whats >= {
        *(f"{NANO}: {what}" for what in ("verdict", "flash", "RAM", "arena")),
        *(f"tflm: {what}" for what in ("accuracy", "agreement", "SQNR", "max error", "version")),
        *("tflm", "tflm: off reference", "float: accuracy", "quantized model", "float.tflite"),
        *("zeros in the float model", "zeros in the quantized model", "observer", "scheme"),
        *("samples compared", "samples calibrated with", "scales of dense layers", "pruning"),
    }
    whats = {row.what for row in differ(VALIDATION, VALIDATION).rows}
    assert {"tflm: median time on the host", "tflm: memory on the host", "file"} <= whats


@pytest.mark.parametrize(
    ("change", "what", "verdict", "change_told"),
    [
        ({"value": 0.91}, "accuracy", "better", "+1.00 points"),
        ({"value": 0.89}, "accuracy", "worse", "-1.00 points"),
        ({"agreement": 1.0}, "agreement", "better", "+1.00 points"),
        ({"sqnr_db": 26.04}, "SQNR", "worse", "-3 dB"),
        ({"max_abs_error": 0.31}, "max error", "worse", "+100%"),
    ],
)
def test_scores_know_which_way_is_better(
    differ: Differ, change: dict[str, float], what: str, verdict: str, change_told: str
) -> None:
    output = replace(OUTPUT, quantized={"tflm": replace(SCORE, **change)})
    found = differ(EXPORT, replace(EXPORT, comparison=compared(output)))
    assert told(found) == {f"tflm: {what}": verdict}
    assert found.exit_status == (1 if verdict == "worse" else 0)
    (line,) = [line for line in render_difference(found).splitlines() if line.startswith(verdict)]
    assert line.endswith(change_told)


def test_less_of_an_error_is_better_and_five_digits_tell(differ: Differ) -> None:
    def report(error: float) -> Report:
        score = replace(SCORE, value=error, agreement=None)
        output = replace(OUTPUT, metric="mse", float_value=2e-5, quantized={"tflm": score})
        return replace(EXPORT, comparison=compared(output))

    found = differ(report(0.000031), report(0.000030))
    assert told(found) == {"tflm: mse": "better"}
    assert row(found, "tflm: mse").percent == pytest.approx(-100 / 31)


@pytest.mark.parametrize(
    ("metric", "word"),
    [("psnr", "better"), ("top-5", "better"), ("mae", "worse"), ("os:abort", "different")],
)
def test_which_way_is_better_is_the_metrics_and_no_function_is_run_for_it(
    differ: Differ, metric: str, word: str
) -> None:
    def report(value: float) -> Report:
        output = replace(OUTPUT, metric=metric, quantized={"tflm": replace(SCORE, value=value)})
        return replace(EXPORT, comparison=compared(output))

    assert told(differ(report(0.5), report(0.75))) == {f"tflm: {metric}": word}


def test_what_reports_print_alike_is_the_same(differ: Differ) -> None:
    score = replace(SCORE, value=0.9 + 1e-12, sqnr_db=29.0401, max_abs_error=0.15500001)
    output = replace(OUTPUT, quantized={"tflm": score})
    assert told(differ(EXPORT, replace(EXPORT, comparison=compared(output)))) == {}


def test_bytes_are_exact_and_less_is_better(differ: Differ) -> None:
    after = replace(EXPORT, targets={NANO: on_nano(arena=22848)})
    found = differ(EXPORT, after)
    assert told(found) == {f"{NANO}: arena": "worse", f"{NANO}: RAM": "worse"}
    assert row(found, f"{NANO}: arena").change == 16
    assert "22,832 B  22,848 B  +16 B (+0.0701%)" in render_difference(found)


def test_a_verdict_comes_first_with_the_reasons_that_are_new(differ: Differ) -> None:
    after = replace(
        EXPORT,
        targets={NANO: on_nano("the arena takes 300,000 bytes of 183,500", arena=300_000)},
    )
    found = differ(EXPORT, after)
    assert found.rows[0].verdict == "worse"
    assert (found.rows[0].a, found.rows[0].b) == ("passed", "failed")
    text = render_difference(found)
    assert f"worse      {NANO}: reason in B: the arena takes 300,000 bytes of 183,500" in text
    back = diff(Path(found.b.file), Path(found.a.file))
    assert f"better     {NANO}: reason in A: the arena takes" in render_difference(back)
    assert back.exit_status == 0


def test_a_reason_with_other_numbers_is_no_new_reason(differ: Differ) -> None:
    sizes = ("300,000", "290,000")
    a, b = (
        replace(EXPORT, targets={NANO: on_nano(f"the arena takes {size} bytes")}) for size in sizes
    )
    found = differ(a, b)
    assert told(found) == {f"{NANO}: reason": "different"}
    assert render_difference(found).count("reason in") == 2


def test_a_reason_of_another_layer_is_a_new_reason(differ: Differ) -> None:
    before, after = ["conv2d_1 is in float"], ["conv2d_1 is in float", "conv2d_2 is in float"]
    a, b = (replace(EXPORT, targets={NANO: on_nano(*each)}) for each in (before, after))
    found = differ(a, b)
    assert told(found) == {f"{NANO}: reason": "worse"}


def test_a_target_that_is_new_is_not_worse(differ: Differ) -> None:
    failing = replace(on_nano("it is too small"), target=load_target("rp2040"))
    after = replace(EXPORT, targets={NANO: on_nano(), "rp2040": failing})
    found = differ(EXPORT, after)
    assert set(told(found).values()) == {"only in B"}
    assert "only in B  rp2040: verdict, " in render_difference(found)


def test_an_interpreter_that_now_fails_is_worse(differ: Differ) -> None:
    failed = replace(EXPORT.runtimes["tflm"], failure="no kernel for GELU", deviations={})
    after = replace(
        EXPORT,
        runtimes={"tflm": failed},
        comparison=compared(replace(OUTPUT, quantized={})),
    )
    found = differ(EXPORT, after)
    assert row(found, "tflm").verdict == "worse"
    assert row(found, "tflm: accuracy").verdict == "only in A"
    assert found.exit_status == 1


def test_settings_are_neither_better_nor_worse(differ: Differ) -> None:
    settings = replace(INT8, layers=(("dense*", "int16"),))
    after = replace(
        EXPORT,
        quantization=replace(EXPORT.quantization, settings=settings, in_float=("embedding",)),
        calibration=replace(EXPORT.calibration, observer="lp", samples=200),
        sparsity=replace(EXPORT.sparsity, float=Sparsity(overall=0.4, layers={})),
    )
    found = differ(EXPORT, after)
    assert set(told(found).values()) == {"different"}
    assert found.exit_status == 0
    text = render_difference(found)
    for line in ("scheme of layers  - dense*=int16", "left in float  - embedding", "min-max lp"):
        assert line.replace("  ", " ") in " ".join(text.split())
    assert "NOT WORSE: 5 different" in text


def test_the_time_and_kernels_of_a_host_are_not_judged(differ: Differ) -> None:
    before = VALIDATION.runtimes["tflm"]
    slow = replace(
        before,
        latency=replace(before.latency, median_ms=1234.5),
        deviations={"softmax": Deviation(max_lsb=22, mean_lsb=0.3, argmax_disagreements=1)},
    )
    found = differ(VALIDATION, replace(VALIDATION, runtimes={"tflm": slow}))
    assert told(found) == {
        "tflm: median time on the host": "different",
        "tflm: off reference": "different",
    }


def test_other_samples_are_pointed_out(differ: Differ) -> None:
    found = differ(EXPORT, replace(EXPORT, comparison=compared(samples=500)))
    text = render_difference(found)
    assert "an export of kws, 500 test samples" in text
    assert "note: A and B ran on different samples" in text


def test_the_manifest_tells_other_data_of_the_same_number(write: Write) -> None:
    a, b = write("a", EXPORT), write("b", EXPORT)
    for folder in (a, b):
        test = {"name": "test.npz", "bytes": 1, "sha256": f"{folder.name}{'0' * 63}"}
        write_json(folder / "manifest.json", {"schema": 1, "recipe": {"test": test, "seed": 0}})
    found = diff(a, b)
    assert told(found) == {"test data": "different"}
    assert "note: A and B ran on different samples" in render_difference(found)


def test_outputs_are_told_apart_where_there_are_several(differ: Differ) -> None:
    worse = replace(OUTPUT, quantized={"tflm": replace(SCORE, value=0.8)})
    both = Comparison(
        scheme="int8", data="test", samples=400, outputs={"softmax": worse, "age": OUTPUT}
    )
    found = differ(EXPORT, replace(EXPORT, comparison=both))
    assert row(found, "softmax: tflm: accuracy").verdict == "worse"
    assert row(found, "age: tflm: accuracy").verdict == "only in B"


def test_outputs_of_another_name_are_compared_if_there_is_one(differ: Differ) -> None:
    renamed = replace(compared(), outputs={"probabilities": OUTPUT})
    assert told(differ(EXPORT, replace(EXPORT, comparison=renamed))) == {}


def test_schemes_are_compared_by_what_they_made(differ: Differ) -> None:
    wide = replace(
        EXPORT,
        artifacts={"float.tflite": file(98888), "int16.tflite": file(50000)},
        quantization=replace(EXPORT.quantization, settings=Quantization(scheme="int16")),
        comparison=replace(compared(), scheme="int16"),
    )
    found = told(differ(EXPORT, wide))
    assert found["quantized model"] == "worse"
    assert found["scheme"] == "different"
    assert "tflm: accuracy" not in found


def test_an_export_is_held_against_a_validation(differ: Differ) -> None:
    score = replace(SCORE, value=0.85)
    before = replace(EXPORT, quantization=replace(EXPORT.quantization, in_float=("embedding",)))
    after = replace(VALIDATION, comparison=compared(replace(OUTPUT, quantized={"tflm": score})))
    found = differ(before, after)
    shared = {what: word for what, word in told(found).items() if not word.startswith("only")}
    assert shared == {"tflm: accuracy": "worse"}
    assert "only in A  float.tflite, " in render_difference(found)


def test_firmware_is_held_against_firmware(differ: Differ) -> None:
    model = replace(MODEL, arena_bytes=30000, operators=("CONV_2D", "RESHAPE"))
    after = replace(FIRMWARE, models={"kws": model}, layout="arduino", flash_bytes=141000)
    found = differ(FIRMWARE, after)
    assert told(found) == {
        "flash": "better",
        "arena": "worse",
        "operator": "different",
        "layout": "different",
    }
    operators = {(row.a, row.b) for row in found.rows if row.what == "operator"}
    assert operators == {("CONV_2D", "CONV_2D"), (None, "RESHAPE"), ("SOFTMAX", None)}


def test_firmware_against_a_model_is_refused(differ: Differ) -> None:
    with pytest.raises(ReportError, match="compare firmware with firmware"):
        differ(FIRMWARE, EXPORT)


def test_reports_of_older_versions_lack_some_figures(write: Write) -> None:
    new, old = write("new", EXPORT), write("old", EXPORT)
    report = json.loads((old / "report.json").read_text())
    del report["quantization"], report["float_runtime"]
    report["targets"] = {NANO: {"passed": False, "reasons": ["tflm fails"]}}
    write_json(old / "report.json", report)
    found = diff(old, new)
    assert row(found, f"{NANO}: verdict").verdict == "better"
    assert row(found, "quantized model").verdict == "same"
    assert row(found, f"{NANO}: arena").verdict == "only in B"


def test_the_command_prints_and_exits(edgepack: Edgepack, write: Write) -> None:
    before = write("before", EXPORT)
    score = replace(SCORE, value=0.91, sqnr_db=20.0)
    output = replace(OUTPUT, quantized={"tflm": score})
    after = write("after", replace(EXPORT, comparison=compared(output)))
    done = edgepack("diff", before, after / "report.json")
    assert (done.returncode, done.stderr) == (1, "")
    assert done.stdout.splitlines()[-1].startswith("WORSE: 1 worse, 1 better; ")
    asked = edgepack("diff", before, after, "--json")
    assert asked.returncode == 1
    data = json.loads(asked.stdout)
    assert (data["schema"], data["counts"]["worse"], data["a"]["samples"]) == (1, 1, 400)
    (sqnr,) = [row for row in data["rows"] if row["what"] == "tflm: SQNR"]
    assert sqnr == {
        "group": "metric",
        "what": "tflm: SQNR",
        "unit": "dB",
        "a": 29.04,
        "b": 20.0,
        "change": pytest.approx(-9.04),
        "percent": None,
        "verdict": "worse",
    }
    assert package.diff(before, after).to_dict() == data


BAD = {
    "nothing": b"",
    "no JSON": b"PK\x03\x04\xff",
    "NaN": b'{"schema": NaN, "comparison": {}}',
    "deep": b"[" * 200_000,
    "a list": b"[]",
    "a manifest": b'{"schema": 1, "artifacts": {}, "versions": {}}',
    "a later schema": b'{"schema": 2, "comparison": {}}',
    "no schema": b'{"comparison": {}}',
    "outputs as a list": b'{"schema": 1, "comparison": {"outputs": [1]}}',
    "text for a number": b'{"schema": 1, "comparison": {"samples": "400"}}',
    "an infinite number": b'{"schema": 1, "comparison": {"samples": 1e999}}',
    "a number of 5,000 digits": b'{"schema": 1, "comparison": {"samples": %s}}' % (b"1" * 5000),
    "a truth for a number": b'{"schema": 1, "comparison": {}, "samples": true}',
    "a number for a text": b'{"schema": 1, "comparison": {}, "model": 3}',
    "what moves the cursor": b'{"schema": 1, "comparison": {"outputs": {"\\u001b[2J\\n": 1}}}',
}


@pytest.mark.parametrize("data", BAD.values(), ids=BAD)
def test_what_is_no_report_is_told_in_a_line(write: Write, tmp_path: Path, data: bytes) -> None:
    (tmp_path / "bad.json").write_bytes(data)
    with pytest.raises(ReportError) as told:
        diff(write("good", EXPORT), tmp_path / "bad.json")
    message = str(told.value)
    assert message.startswith(f"{tmp_path / 'bad.json'}: ")
    assert "; " in message
    assert message.isprintable()


def test_reports_without_a_figure_in_common_do_not_pass(write: Write, tmp_path: Path) -> None:
    (tmp_path / "bare.json").write_text('{"schema": 1, "comparison": {}}')
    for other in (write("a", EXPORT), tmp_path / "bare.json"):
        with pytest.raises(ReportError, match=r"has no figure that .*bare\.json has too; compare"):
            diff(other, tmp_path / "bare.json")


def test_a_wrong_value_is_named_by_its_path(write: Write) -> None:
    folder = write("a", EXPORT)
    report = json.loads((folder / "report.json").read_text())
    report["comparison"]["outputs"]["softmax"]["int8"]["tflm"]["value"] = "high"
    write_json(folder / "report.json", report)
    path = "'comparison.outputs.softmax.int8.tflm.value' should be a number below 2\\^63"
    with pytest.raises(ReportError, match=path):
        diff(folder, folder)


@pytest.mark.parametrize("name", ["missing", "a" * 300, "empty", "\x00"])
def test_paths_that_lead_nowhere_are_told(write: Write, tmp_path: Path, name: str) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(ReportError, match="check the path"):
        diff(write("a", EXPORT), tmp_path / name)


def test_the_command_ends_with_2_for_bad_input(edgepack: Edgepack) -> None:
    done = edgepack("diff", "missing", "/dev/zero")
    assert done.returncode == 2
    assert done.stderr == "error: missing: no such file; check the path\n"


def test_a_file_without_end_is_not_read_to_its_end() -> None:
    with pytest.raises(ReportError, match="is larger than 64 MiB"):
        diff(Path("/dev/zero"), Path("/dev/zero"))


def test_names_in_reports_do_not_reach_the_terminal_as_they_are(differ: Differ) -> None:
    name = "\x1b[2J\n<b>\ud800" + "x" * 500
    runtimes = {name: replace(EXPORT.runtimes["tflm"], version=name)}
    after = {name: replace(EXPORT.runtimes["tflm"], version="2")}
    text = render_difference(
        differ(replace(EXPORT, model=name, runtimes=runtimes), replace(EXPORT, runtimes=after))
    )
    assert all(line.isprintable() and len(line) < 250 for line in text.splitlines())
    assert r"different  \x1b[2J\n<b>\ud800" in text


def test_a_real_export_is_read(pruned_digits: Bundle, cnn: Bundle) -> None:
    assert told(diff(pruned_digits.folder, pruned_digits.folder)) == {}
    found = diff(pruned_digits.folder, cnn.folder)
    assert row(found, "quantized model").change is not None
    assert row(found, "pruning").verdict == "different"
    assert row(found, "source model").verdict == "different"
