"""The report of a comparison as a page."""

from __future__ import annotations

from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest
from comparison_reports import (
    EVIL,
    PICTURE,
    complete_comparison,
    empty_comparison,
    losing,
    metric,
    some_samples,
)
from detail_reports import SCORES
from documents import blocks_of, check_document, check_text, section_of, texts

from edgepack.config.budgets import Budgets
from edgepack.report.data.compare import CompareReport
from edgepack.report.data.shown_samples import ShownSample, samples_to_show
from edgepack.report.document.blocks import Card, Picture, Plot, Table, Tone
from edgepack.report.document.html import render_html
from edgepack.report.document.markdown import render_markdown
from edgepack.report.pages.compare import comparison_document
from edgepack.report.sections.sample_media import is_drawn, sample_media
from edgepack.report.text.compare import render_comparison

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


def test_a_page_has_every_section() -> None:
    report = complete_comparison()
    document = comparison_document(report, some_samples(report))
    assert tuple(each.id for each in document.sections) == SECTIONS
    check_document(document)
    html, markdown = render_html(document), render_markdown(document)
    tags = Tags()
    tags.feed(html)
    assert "h2" in tags.seen
    assert "script" not in tags.seen
    assert "<script" not in markdown
    assert EVIL in "".join(texts(document))


def test_a_page_without_optional_parts_still_reports_failures() -> None:
    document = comparison_document(empty_comparison(), {})
    assert [each.id for each in document.sections] == ["ledger"]
    assert document.headline.tone is Tone.BAD
    assert document.headline.sentences == ("int8 did not run on litert: killed",)
    check_document(document)
    text = render_comparison(empty_comparison())
    assert text.endswith("\n\nFAILED: int8 did not run on litert: killed")
    check_text(text)
    assert render_html(document) == render_html(comparison_document(empty_comparison(), {}))


def test_any_part_may_be_missing() -> None:
    report = complete_comparison("plain")
    stage = report.stages[-1]
    without: list[CompareReport] = [
        replace(report, stages=(*report.stages[:-1], replace(stage, **{part: None})))
        for part in ("artifact", "validation", "sparsity", "layers", "origin")
    ]
    without += [replace(report, **{part: None}) for part in ("folds", "lint")]
    without += [replace(report, budgets={})]
    without += [replace(report, classes={}), replace(report, metrics={}), replace(report, notes=())]
    for each in without:
        check_document(comparison_document(each, {}))
        check_text(render_comparison(each))


@pytest.mark.parametrize("classes", [2, 40, 41])
def test_many_classes_are_cut_to_those_that_lost_most(classes: int) -> None:
    report = complete_comparison("c", classes)
    document = comparison_document(report, {})
    check_document(document)
    confusion = section_of(document, "confusion").blocks
    assert isinstance(confusion[0], Plot if classes <= 40 else Table)
    drawn = next(each for each in section_of(document, "classes").blocks if isinstance(each, Plot))
    assert drawn.table
    assert len(drawn.table.rows) == (classes if classes <= 40 else 20)
    if classes > 40:  # the last lost most
        assert drawn.table.rows[0].cells[0] == "c40"


def test_samples_are_shown_by_kind() -> None:
    report = complete_comparison()
    document = comparison_document(report, some_samples(report))
    cards = [block for block in blocks_of(document) if isinstance(block, Card) and block.media]
    of_scores, of_picture = cards
    assert [type(each) for each in of_scores.media] == [Plot, Picture, Picture]
    # Outputs that are pictures are side by side.
    assert len(of_picture.media) == 5
    assert any(line.startswith("row: 1, nan, 3") for line in of_scores.lines)
    assert any(line.startswith("float: ") and line.count(",") == 2 for line in of_scores.lines)
    assert "label: <script>alert(1)</script>0" in of_scores.lines
    keys = {(stage, output, index) for stage, _, output, index in samples_to_show(report)}
    assert some_samples(report).keys() <= keys


def test_how_a_sample_is_shown_depends_on_its_shape() -> None:
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


def test_features_over_time_are_turned() -> None:
    (turned,) = sample_media("x", [("a", np.zeros((49, 10, 1)))])
    assert isinstance(turned, Picture)
    assert (turned.width, turned.height) == (49, 10)


def test_a_segmentation_is_shown_as_maps_of_classes() -> None:
    report = complete_comparison("m")
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
    sample = ShownSample(inputs={"x": scores}, of_float=scores, of_other=scores[::-1])
    document = comparison_document(report, {(stage.name, PICTURE, 7): sample})
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
def test_the_verdict_depends_on_the_loss(
    lost: float, p_value: float, max_drop: float | None, word: str, tone: Tone
) -> None:
    report = replace(
        losing(lost, p_value),
        budgets={} if max_drop is None else {"the command": Budgets(max_drop=max_drop)},
    )
    headline = comparison_document(report, {}).headline
    assert (headline.word, headline.tone) == (word, tone)
    assert headline.sentences
    last = render_comparison(report).splitlines()
    assert headline.sentences[-1][:40] in "\n".join(last[-3:])


def test_a_stage_is_judged_on_its_worst_interpreter() -> None:
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
