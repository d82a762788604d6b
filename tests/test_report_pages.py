"""The pages of exports and validations."""

from __future__ import annotations

from dataclasses import replace

from comparison_reports import EVIL
from detail_reports import validation
from documents import blocks_of, check_document, section_of
from export_reports import EXPORT, OUTPUT, SCORE, VALIDATION, comparison_of

from edgepack.checks import Result, Verdict, documentation
from edgepack.core.findings import Finding
from edgepack.evaluation.results import Change, Interval
from edgepack.report.data.export import SparsityReport
from edgepack.report.document.blocks import Table, Tone
from edgepack.report.document.markdown import render_markdown
from edgepack.report.pages.export import export_document
from edgepack.report.pages.validate import validation_document
from edgepack.report.sections.check_titles import CHECK_TITLES
from edgepack.report.sections.target_verdicts import target_verdicts_section
from edgepack.storage.manifest import Manifest
from edgepack.tflite.sparsity import Sparsity


def test_the_page_of_an_export_has_the_content_of_its_report() -> None:
    evil = SparsityReport(
        float=Sparsity(overall=0.5, layers={EVIL: 0.5}),
        quantized=Sparsity(overall=0.5, layers={EVIL: 0.5}),
    )
    report = replace(EXPORT, model=EVIL, sparsity=evil, notes=(EVIL,))
    model = {"name": EVIL, "bytes": 3, "sha256": "0" * 64}
    manifest = Manifest(
        command="export",
        artifacts={},
        request={
            "recipe": {
                "model": model,
                "seed": 0,
                "allow_unsafe": False,
                "prune": None,
                "custom_objects": [],
                "quantization": {"scheme": "int8", "dense": None, "layers": [["a", "int16"]]},
                "targets": ["b", "c"],
                "compress": [{"technique": "prune", "sparsity": 0.5, "block": None}],
            }
        },
        versions={"edgepack": "0.8"},
    )
    document = export_document(report, manifest)
    check_document(document)
    ids = [each.id for each in document.sections]
    assert ids == ["ledger", "targets", "sparsity", "notes", "made-of"]
    assert document.headline.word == "RUNS"
    captions = {each.caption for each in blocks_of(document) if isinstance(each, Table)}
    assert {"Files", "Inputs", "Versions", f"Recipe of {EVIL}"} <= captions
    config = next(
        each
        for each in blocks_of(document)
        if isinstance(each, Table) and each.caption == f"Recipe of {EVIL}"
    )
    assert [row.cells for row in config.rows] == [
        ("seed", "0"),
        ("allow unsafe", "no"),
        ("quantization", "scheme int8, layers a int16"),
        ("targets", "b, c"),
        ("compress", "technique prune, sparsity 0.5"),
    ]
    (scores,) = section_of(document, "ledger").blocks
    assert isinstance(scores, Table)
    assert scores.rows[-1].cells == ("int8", "tflm", "0.9000", "99.00%", "29.0 dB", "0.155")
    assert (
        "FAILED"
        in export_document(
            replace(report, targets=validation("m", [], 5).targets), manifest
        ).headline.word
    )


def test_the_headline_says_each_warning_once_and_cuts_no_sentence() -> None:
    change = Change(
        loss=0.0,
        interval=Interval(low=-1.0, high=1.0),
        detectable=1.2,
        only_float=1,
        only_other=1,
        p_value=1.0,
    )
    output = replace(OUTPUT, quantized={"tflm": replace(SCORE, change=change)})
    warning = "warning: int8.tflite was made from another model"
    report = replace(VALIDATION, comparison=comparison_of(output), notes=(warning, "a note"))
    sentences = validation_document(report).headline.sentences
    assert sentences.count(warning) == 1
    assert "a note" not in sentences
    (loss,) = (each for each in sentences if "became wrong" in each)
    assert loss.startswith("accuracy 0.9000 (tflm), float 0.9200: int8 loses nothing (95% CI: ")


def test_the_page_of_a_validation_says_whether_targets_can_run_the_model() -> None:
    document = validation_document(VALIDATION)
    check_document(document)
    ids = [each.id for each in document.sections]
    assert ids == ["targets", "ledger", "interpreters", "made-of"]
    assert (document.headline.word, document.headline.tone) == ("RUNS", Tone.PLAIN)
    failed = validation_document(validation(EVIL, [EVIL], 5))
    check_document(failed)
    assert (failed.headline.word, failed.headline.tone) == ("FAILED", Tone.BAD)
    unchecked = replace(
        VALIDATION,
        comparison=None,
        runtimes={},
        targets={"android-arm64": validation("m", [], 5).targets["android-arm64"]},
    )
    headline = validation_document(unchecked).headline
    assert (headline.word, headline.tone) == ("NOT CHECKED", Tone.UNSURE)


def test_checks_have_titles_and_each_rule_is_stated_once() -> None:
    assert CHECK_TITLES.keys() == documentation().keys()
    assert all(3 <= len(title.split()) <= 6 for title in CHECK_TITLES.values())
    assert len(set(CHECK_TITLES.values())) == len(CHECK_TITLES)
    note = Finding(message="runs on the CPU", is_note=True)
    results = (
        Result(check="gpu_takes_all", findings=(note,)),
        Result(check="npu_takes_all", findings=(), why_not="the target has no NPU"),
        Result(check="npu_plan_fits", findings=(), why_not="the target has no NPU"),
    )
    (known,) = list(VALIDATION.targets.values())[:1]
    each = replace(known, verdict=Verdict(results=results))
    section = target_verdicts_section({"m": {"phone": each, "board": each}})
    assert section
    page = render_markdown(replace(validation_document(VALIDATION), sections=(section,)))
    assert page.count("runs on the CPU") == 1
    assert "phone, board: runs on the CPU" in page
    rules = documentation()
    assert page.count(rules["gpu_takes_all"]) == 1
    assert rules["npu_takes_all"] not in page
    assert "gpu takes all" not in page
    folded = (
        "Does not apply: NPU runs the whole graph, NPU's plan fits into memory (the target has no"
        " NPU)."
    )
    assert page.count(folded) == 2  # of each target
