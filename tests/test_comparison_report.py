"""What a comparison found, as a page and as text."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, is_dataclass, replace
from html.parser import HTMLParser
from itertools import product
from typing import Any

import numpy as np
import pytest
from compared import EVIL, LONG, PICTURE, SCORES, bare, metric, shown, validation, whole
from test_diff import EXPORT, VALIDATION

from edgepack.evaluation.results import Interval
from edgepack.report.data.comparison import ComparisonReport
from edgepack.report.data.export import SparsityReport
from edgepack.report.data.shown_samples import ShownSample, samples_to_show
from edgepack.report.document.blocks import (
    Block,
    Card,
    Cards,
    Details,
    Document,
    Picture,
    Plot,
    Section,
    Table,
    Tone,
)
from edgepack.report.document.html import render_html
from edgepack.report.document.markdown import render_markdown
from edgepack.report.format import amounts
from edgepack.report.format.text_table import WIDTH
from edgepack.report.pages.comparison import comparison_document
from edgepack.report.pages.export import export_document
from edgepack.report.pages.validation import validation_document
from edgepack.report.sections.sample_media import is_drawn, sample_media
from edgepack.report.text.comparison import render_comparison
from edgepack.storage.manifest import Manifest
from edgepack.tflite.sparsity import Sparsity

SECTIONS = (
    *("ledger", "metrics", "classes", "confusion", "samples", "sizes", "layers", "ranges"),
    *("sparsity", "targets", "lint", "folds", "notes", "made-of"),
)


class Tags(HTMLParser):
    """The elements of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: set[str] = set()

    def handle_starttag(self, tag: str, attrs: object) -> None:  # noqa: ARG002 (the parser gives them)
        self.seen.add(tag)


def blocks_of(document: Document) -> Iterator[Block | Card | Picture]:
    """Go through all that is on a page, folded in or not."""

    def inside(blocks: Any) -> Iterator[Block | Card | Picture]:
        for block in blocks:
            yield block
            if isinstance(block, Details):
                yield from inside(block.blocks)
            if isinstance(block, Cards):
                yield from block.cards
                yield from (each for card in block.cards for each in card.media)

    for section in document.sections:
        yield from inside(section.blocks)


def texts(thing: Any) -> Iterator[str]:
    """Find every text of a page's data."""
    if isinstance(thing, str):
        yield thing
    elif isinstance(thing, (tuple, list)):
        for each in thing:
            yield from texts(each)
    elif is_dataclass(thing):
        for field in fields(thing):
            yield from texts(getattr(thing, field.name))


def check(document: Document) -> None:
    """Require what holds for every page: ids of its own, tables as wide as their columns."""
    found = list(blocks_of(document))
    plots = [block for block in found if isinstance(block, Plot)]
    assert all(plot.table and plot.table.rows and plot.description for plot in plots)
    ids = [section.id for section in document.sections]
    ids += [each.attrib["id"] for plot in plots for each in plot.svg.iter() if "id" in each.attrib]
    assert len(ids) == len(set(ids))
    tables = [block for block in found if isinstance(block, Table)]
    tables += [plot.table for plot in plots if plot.table]
    for table in tables:
        assert table.caption
        assert {len(row.cells) for row in table.rows} <= {len(table.columns)}
    assert all(isinstance(text, str) for text in texts(document))


def section(document: Document, name: str) -> Section:
    return next(each for each in document.sections if each.id == name)


def test_a_page_has_every_section_of_which_something_is_known() -> None:
    report = whole()
    document = comparison_document(report, shown(report))
    assert tuple(each.id for each in document.sections) == SECTIONS
    check(document)
    html, markdown = render_html(document), render_markdown(document)
    tags = Tags()
    tags.feed(html)
    assert "h2" in tags.seen
    assert "script" not in tags.seen
    assert "<script" not in markdown
    assert EVIL in "".join(texts(document))


def test_a_page_of_nothing_still_says_what_failed() -> None:
    document = comparison_document(bare(), {})
    assert [each.id for each in document.sections] == ["ledger"]
    assert document.headline.tone is Tone.BAD
    assert document.headline.sentences == ("int8 did not run on litert: killed",)
    check(document)
    text = render_comparison(bare())
    assert text.endswith("\n\nint8 did not run on litert: killed")
    fits(text)
    assert render_html(document) == render_html(comparison_document(bare(), {}))


def test_any_part_may_be_missing() -> None:
    report = whole("plain")
    stage = report.stages[-1]
    without: list[ComparisonReport] = [
        replace(report, stages=(*report.stages[:-1], replace(stage, **{part: None})))
        for part in ("artifact", "validation", "sparsity", "layers", "origin")
    ]
    without += [replace(report, **{part: None}) for part in ("folds", "lint", "max_drop")]
    without += [replace(report, classes={}), replace(report, metrics={}), replace(report, notes=())]
    for each in without:
        check(comparison_document(each, {}))
        fits(render_comparison(each))


@pytest.mark.parametrize("classes", [2, 40, 41])
def test_many_classes_are_cut_to_those_that_tell_most(classes: int) -> None:
    report = whole("c", classes)
    document = comparison_document(report, {})
    check(document)
    confusion = section(document, "confusion").blocks
    assert isinstance(confusion[0], Plot if classes <= 40 else Table)
    drawn = next(each for each in section(document, "classes").blocks if isinstance(each, Plot))
    assert drawn.table
    assert len(drawn.table.rows) == (classes if classes <= 40 else 20)
    if classes > 40:  # the last lost most
        assert drawn.table.rows[0].cells[0] == "c40"


def test_samples_are_shown_as_what_they_are() -> None:
    report = whole()
    document = comparison_document(report, shown(report))
    cards = [block for block in blocks_of(document) if isinstance(block, Card) and block.media]
    of_scores, of_picture = cards
    assert [type(each) for each in of_scores.media] == [Plot, Picture, Picture]
    # Outputs that are pictures stand side by side.
    assert len(of_picture.media) == 5
    assert any(line.startswith("row: 1, nan, 3") for line in of_scores.lines)
    assert any(line.startswith("float: ") and line.count(",") == 2 for line in of_scores.lines)
    assert "label: <script>alert(1)</script>0" in of_scores.lines
    keys = {(stage, output, index) for stage, _, output, index in samples_to_show(report)}
    assert shown(report).keys() <= keys


def test_what_a_sample_is_shown_as_follows_its_shape() -> None:
    kinds = {
        (32, 32, 3): Picture,
        (28, 28, 1): Picture,
        (49, 10, 1): Picture,
        (49, 10): Picture,
        (640,): Plot,
        (1, 640): Plot,
        (640, 1): Plot,
        (64,): None,
        (4, 4, 16): None,
        (): None,
    }
    for shape, kind in kinds.items():
        values = np.zeros(shape)
        drawn = sample_media("x", [("a", values)])
        assert [type(each) for each in drawn] == ([kind] if kind else [])
        assert is_drawn(values) == bool(kind)
    large = sample_media("x", [("a", np.zeros((1000, 500, 3), np.uint8))])[0]
    assert isinstance(large, Picture)
    assert (large.width, large.height) == (125, 250)


def test_features_over_time_are_laid_down() -> None:
    (laid,) = sample_media("x", [("a", np.zeros((49, 10, 1)))])
    assert isinstance(laid, Picture)
    assert (laid.width, laid.height) == (49, 10)


def test_a_segmentation_is_shown_as_maps_of_classes() -> None:
    report = whole("m")
    stage = report.stages[-1]
    outputs = {
        runtime: replace(
            run.outputs[PICTURE],
            distance=replace(run.outputs[PICTURE].distance, agreement=0.9),
        )
        for runtime, run in stage.runs.items()
    }
    runs = {
        runtime: replace(run, outputs=run.outputs | {PICTURE: outputs[runtime]})
        for runtime, run in stage.runs.items()
    }
    report = replace(report, stages=(*report.stages[:-1], replace(stage, runs=runs)))
    scores = np.random.default_rng(0).random((16, 16, 3))
    exhibit = ShownSample(inputs={"x": scores}, of_float=scores, of_other=scores[::-1])
    document = comparison_document(report, {(stage.name, PICTURE, 7): exhibit})
    (card,) = (each for each in blocks_of(document) if isinstance(each, Card) and each.media)
    assert [each.description.partition(",")[0] for each in card.media] == [
        *("input x", "classes by float", f"classes by {stage.name}")
    ]
    assert any(line.startswith("KL divergence: ") for line in card.lines)


def test_two_pictures_are_scaled_alike() -> None:
    half = np.linspace(0, 0.5, 100).reshape(10, 10, 1)
    alone, both = (
        sample_media("x", [("a", half)]),
        sample_media("x", [("a", half), ("b", half * 2)]),
    )
    assert all(isinstance(each, Picture) for each in both)
    assert alone[0] != both[0]
    bytes_ = sample_media("x", [("a", np.full((8, 8, 3), 200.0))])[0]
    assert isinstance(bytes_, Picture)
    assert bytes_ != sample_media("x", [("a", np.full((8, 8, 3), 100.0))])[0]


@pytest.mark.parametrize(
    ("lost", "p_value", "max_drop", "word", "tone"),
    [
        (3.0, 0.01, None, "The drop is real", Tone.BAD),
        (3.0, 0.06, None, "Inconclusive", Tone.UNSURE),
        (0.3, 0.69, None, "No drop is shown", Tone.PLAIN),
        (-3.0, 0.01, None, "The gain is real", Tone.GOOD),
        (3.0, 0.01, 5.0, "PASSED", Tone.GOOD),
        (3.0, 0.01, 1.0, "FAILED", Tone.BAD),
    ],
)
def test_the_verdict_is_about_what_is_lost(
    lost: float, p_value: float, max_drop: float | None, word: str, tone: Tone
) -> None:
    report = replace(losing(lost, p_value), max_drop=max_drop)
    headline = comparison_document(report, {}).headline
    assert (headline.word, headline.tone) == (word, tone)
    assert headline.sentences
    last = render_comparison(report).splitlines()
    assert headline.sentences[-1][:40] in "\n".join(last[-3:])


def losing(lost: float, p_value: float = 0.01) -> ComparisonReport:
    """Make a comparison with one output and one quantized model."""
    report = whole("m", runtimes=("litert",))
    of_float, _, stage = report.stages
    accuracy = {"accuracy": metric("accuracy", "fraction", 0.9, lost, p_value)}
    (run,) = stage.runs.values()
    ran = replace(run, outputs={SCORES: replace(run.outputs[SCORES], metrics=accuracy)})
    first = replace(
        of_float.runs["Keras"], outputs={SCORES: of_float.runs["Keras"].outputs[SCORES]}
    )
    return replace(
        report,
        metrics={SCORES: "accuracy"},
        stages=(
            replace(of_float, runs={"Keras": first}),
            replace(stage, runs={"litert": ran}),
        ),
    )


def fits(text: str) -> None:
    """Require that a text is printable and no wider than a terminal."""
    for line in text.splitlines():
        assert len(line) <= WIDTH, line
        assert line.isprintable()
        assert line == line.rstrip()


@pytest.mark.parametrize(
    ("name", "classes"), [*product([EVIL, LONG, "a\x1b[31m\n\u202eb", "short"], [2, 5])]
)
def test_the_text_fits_a_terminal(name: str, classes: int) -> None:
    report = whole(name, classes, runtimes=("tflite-runtime", "litert", "tflm", LONG))
    fits(render_comparison(report))
    fits(render_comparison(replace(report, metrics={})))


def test_the_text_tells_what_was_asked_for() -> None:
    text = render_comparison(losing(0.7))
    assert "0.9000 (0.8900 to 0.9100)" in text
    assert "0.70 points (-0.30 to 1.70)" in text
    assert "agreement" in text
    assert "98.50%" in text
    assert "size      float 98,888 B, int8 m 47,728 B" in text
    assert "Over 2 folds, accuracy is 0.9050 on average" in text
    assert "C array   int8 m: the same bytes as the file" in text


def test_a_metric_that_is_no_number_is_told_as_that() -> None:
    report = losing(0.7)
    untold = replace(metric("roc-auc", "fraction", None, None), title="ROC-AUC")
    stages = [
        replace(
            stage,
            runs={
                name: replace(
                    run,
                    outputs={SCORES: replace(run.outputs[SCORES], metrics={"roc-auc": untold})},
                )
                for name, run in stage.runs.items()
            },
        )
        for stage in report.stages
    ]
    report = replace(report, stages=tuple(stages), metrics={SCORES: "roc-auc"}, max_drop=None)
    text = render_comparison(report)
    assert "int8 m: the ROC-AUC is no number" in text
    assert "agreement" in text.splitlines()[0]
    assert comparison_document(report, {}).headline.word == "Whether there is a drop is unknown"


def test_what_did_not_run_has_its_row() -> None:
    report = losing(0.7)
    stage = report.stages[-1]
    failed = replace(stage.runs["litert"], failure="killed", outputs={})
    runs = {**stage.runs, "tflm": failed}
    text = render_comparison(replace(report, stages=(report.stages[0], replace(stage, runs=runs))))
    (row,) = [line for line in text.splitlines() if line.startswith("int8 m  tflm")]
    assert row.split() == ["int8", "m", "tflm", "did", "not", "run", "-", "-"]


def test_what_is_lost_has_as_many_digits_as_its_interval_needs() -> None:
    small = metric("psnr", "decibels", 10.0, -0.0007)
    assert small.change is not None
    small = replace(small, change=replace(small.change, interval=Interval(low=-0.0013, high=-1e-4)))
    assert amounts.format_loss(small) == "-0.0007 dB (-0.0013 to -0.0001)"
    assert amounts.format_loss(small, interval=False) == "0.00 dB"


def test_the_worst_interpreter_speaks_for_a_stage() -> None:
    report = losing(0.5)
    stage = report.stages[-1]
    run = stage.runs["litert"]
    worse = replace(
        run.outputs[SCORES], metrics={"accuracy": metric("accuracy", "fraction", 0.8, 9.0)}
    )
    runs = {"litert": run, "tflm": replace(run, outputs={SCORES: worse})}
    both = replace(report, stages=(report.stages[0], replace(stage, runs=runs)))
    assert {runtime for _, runtime, _, _ in samples_to_show(both)} == {"tflm"}
    assert comparison_document(both, {}).headline.sentences[0].startswith("int8 m on tflm")


def test_amounts_are_short_and_have_no_negative_zero() -> None:
    tiny = metric("accuracy", "fraction", 0.9, -0.001)
    assert amounts.format_loss(tiny, interval=False) == "0.00 points"
    assert amounts.format_loss(metric("mse", "error", 1.0, 1.25e6), interval=False) == "1.25e+06%"
    assert amounts.format_metric(metric("mse", "error", 1.2e-5, 0.0), interval=False) == "1.2e-05"
    assert amounts.format_p_value(metric("a", "fraction", 0.5, 0.1, 1e-9)) == "< 0.0001"
    assert amounts.format_metric(metric("auc", "fraction", None, None)) == "-"


def test_what_an_output_is_called_is_told_where_there_are_several() -> None:
    text = render_comparison(whole("m"))
    assert f"output {SCORES}" in text
    assert f"output {PICTURE}" in text


def test_the_page_of_an_export_tells_what_its_report_tells() -> None:
    evil = SparsityReport(
        float=Sparsity(overall=0.5, layers={EVIL: 0.5}),
        quantized=Sparsity(overall=0.5, layers={EVIL: 0.5}),
    )
    report = replace(EXPORT, model=EVIL, sparsity=evil, notes=(EVIL,))
    model = {"name": EVIL, "bytes": 3, "sha256": "0" * 64}
    manifest = Manifest(
        command="export",
        artifacts={},
        asked={"recipe": {"model": model, "seed": 0, "prune": {}}},
        versions={"edgepack": "0.8"},
    )
    document = export_document(report, manifest)
    check(document)
    ids = [each.id for each in document.sections]
    assert ids == ["ledger", "targets", "sparsity", "notes", "made-of"]
    assert document.headline.word == "PASSED"
    made = {each.caption for each in blocks_of(document) if isinstance(each, Table)}
    assert {"Files", "Inputs", "Versions", f"Recipe of {EVIL}"} <= made
    (scores,) = section(document, "ledger").blocks
    assert isinstance(scores, Table)
    assert scores.rows[-1].cells == ("int8", "tflm", "0.9000", "99.00%", "29.0 dB", "0.155")
    assert (
        "FAILED"
        in export_document(
            replace(report, targets=validation("m", [], 5).targets), manifest
        ).headline.word
    )


def test_the_page_of_a_validation_says_whether_targets_can_run_the_model() -> None:
    document = validation_document(VALIDATION)
    check(document)
    ids = [each.id for each in document.sections]
    assert ids == ["targets", "ledger", "interpreters", "made-of"]
    assert (document.headline.word, document.headline.tone) == ("PASSED", Tone.GOOD)
    failed = validation_document(validation(EVIL, [EVIL], 5))
    check(failed)
    assert (failed.headline.word, failed.headline.tone) == ("FAILED", Tone.BAD)
    unchecked = replace(
        VALIDATION,
        comparison=None,
        runtimes={},
        targets={"android-arm64": validation("m", [], 5).targets["android-arm64"]},
    )
    headline = validation_document(unchecked).headline
    assert (headline.word, headline.tone) == ("NOT CHECKED", Tone.UNSURE)
