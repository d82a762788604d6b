"""edgepack diff: the command, bad input, and a real export."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from conftest import Bundle, Edgepack
from export_reports import EXPORT, OUTPUT, SCORE, comparison_of
from report_differences import DifferenceOf, Write, changed, row

import edgepack as package
from edgepack.config.diff import DiffConfig
from edgepack.core.errors import ReportError
from edgepack.pipeline.diff import diff
from edgepack.report.text.diff import render_difference
from edgepack.storage.text_files import write_json


def test_the_command_prints_and_exits(edgepack: Edgepack, write_report: Write) -> None:
    before = write_report("before", EXPORT)
    score = replace(SCORE, value=0.91, sqnr_db=20.0)
    output = replace(OUTPUT, quantized={"tflm": score})
    after = write_report("after", replace(EXPORT, comparison=comparison_of(output)))
    done = edgepack("diff", before, after / "report.json")
    assert (done.returncode, done.stderr) == (1, "")
    assert done.stdout.splitlines()[-1].startswith("WORSE: 1 worse, 1 better; ")
    as_json = edgepack("diff", before, after, "--json")
    assert as_json.returncode == 1
    data = json.loads(as_json.stdout)
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
    assert package.diff(DiffConfig(a=before, b=after)).to_dict() == data


BAD = {
    "nothing": b"",
    "not JSON": b"PK\x03\x04\xff",
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
    "a boolean for a number": b'{"schema": 1, "comparison": {}, "samples": true}',
    "a number for a text": b'{"schema": 1, "comparison": {}, "model": 3}',
    "escape sequences": b'{"schema": 1, "comparison": {"outputs": {"\\u001b[2J\\n": 1}}}',
}


@pytest.mark.parametrize("data", BAD.values(), ids=BAD)
def test_an_invalid_report_is_an_error_on_one_line(
    write_report: Write, tmp_path: Path, data: bytes
) -> None:
    (tmp_path / "bad.json").write_bytes(data)
    with pytest.raises(ReportError) as error:
        diff(DiffConfig(a=write_report("good", EXPORT), b=tmp_path / "bad.json"))
    message = str(error.value)
    assert message.startswith(f"{tmp_path / 'bad.json'}: ")
    assert "; " in message
    assert message.isprintable()


def test_reports_without_a_figure_in_common_do_not_pass(
    write_report: Write, tmp_path: Path
) -> None:
    (tmp_path / "bare.json").write_text('{"schema": 1, "comparison": {}}')
    for other in (write_report("a", EXPORT), tmp_path / "bare.json"):
        with pytest.raises(
            ReportError, match=r"has no figure in common with .*bare\.json; compare"
        ):
            diff(DiffConfig(a=other, b=tmp_path / "bare.json"))


def test_a_wrong_value_is_named_by_its_path(write_report: Write) -> None:
    folder = write_report("a", EXPORT)
    report = json.loads((folder / "report.json").read_text())
    report["comparison"]["outputs"]["softmax"]["int8"]["tflm"]["value"] = "high"
    write_json(folder / "report.json", report)
    path = "'comparison.outputs.softmax.int8.tflm.value' should be a number below 2\\^63"
    with pytest.raises(ReportError, match=path):
        diff(DiffConfig(a=folder, b=folder))


@pytest.mark.parametrize("name", ["missing", "a" * 300, "empty"])
def test_paths_that_do_not_exist_are_errors(write_report: Write, tmp_path: Path, name: str) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(ReportError, match="check the path"):
        diff(DiffConfig(a=write_report("a", EXPORT), b=tmp_path / name))


def test_the_command_exits_with_2_for_bad_input(edgepack: Edgepack) -> None:
    done = edgepack("diff", "missing", "/dev/zero")
    assert done.returncode == 2
    assert done.stderr == "error: missing: no such file; check the path\n"


def test_a_file_without_end_is_not_read_to_its_end() -> None:
    with pytest.raises(ReportError, match="is larger than 64 MiB"):
        diff(DiffConfig(a=Path("/dev/zero"), b=Path("/dev/zero")))


def test_names_in_reports_are_escaped_and_shortened(difference_of: DifferenceOf) -> None:
    name = "\x1b[2J\n<b>\ud800" + "x" * 500
    runtimes = {name: replace(EXPORT.runtimes["tflm"], version=name)}
    after = {name: replace(EXPORT.runtimes["tflm"], version="2")}
    text = render_difference(
        difference_of(
            replace(EXPORT, model=name, runtimes=runtimes), replace(EXPORT, runtimes=after)
        )
    )
    assert all(line.isprintable() and len(line) < 250 for line in text.splitlines())
    assert r"different  \x1b[2J\n<b>\ud800" in text


def test_a_real_export_is_read(pruned_digits: Bundle, cnn: Bundle) -> None:
    assert changed(diff(DiffConfig(a=pruned_digits.folder, b=pruned_digits.folder))) == {}
    difference = diff(DiffConfig(a=pruned_digits.folder, b=cnn.folder))
    assert row(difference, "quantized model").change is not None
    assert row(difference, "pruning").verdict == "different"
    assert row(difference, "source model").verdict == "different"
