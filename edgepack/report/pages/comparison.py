"""The page of a comparison: the verdict, then every section of which something is known."""

from __future__ import annotations

from collections.abc import Iterator

from edgepack.evaluation.drop_sentences import samples_in_words
from edgepack.report.data.comparison import QUANTIZED, ComparisonReport
from edgepack.report.data.shown_samples import Exhibits
from edgepack.report.document.blocks import Document, Section
from edgepack.report.sections.confusion import confusion
from edgepack.report.sections.disagreements import disagreements
from edgepack.report.sections.folds import folds
from edgepack.report.sections.layer_errors import layers
from edgepack.report.sections.ledger import ledger
from edgepack.report.sections.lint_findings import lint
from edgepack.report.sections.made_of import made_of
from edgepack.report.sections.metrics import metrics
from edgepack.report.sections.notes import notes
from edgepack.report.sections.per_class import classes
from edgepack.report.sections.ranges import ranges
from edgepack.report.sections.sizes import sizes
from edgepack.report.sections.target_verdicts import targets
from edgepack.report.sections.verdict import verdict
from edgepack.report.sections.weight_sparsity import sparsity
from edgepack.storage.artifact import Artifact


def comparison_document(report: ComparisonReport, exhibits: Exhibits) -> Document:
    """Put the page together; ``exhibits`` has the samples to show, none of which need be there."""
    stages = report.stages
    found = (
        ledger(report),
        metrics(report),
        classes(report),
        confusion(report),
        disagreements(report, exhibits),
        sizes(report),
        layers(report),
        ranges(report),
        sparsity({stage.name: stage.sparsity for stage in stages if stage.sparsity}),
        targets(
            {
                stage.name: stage.validation.targets
                for stage in stages
                if stage.validation and stage.role == QUANTIZED
            }
        ),
        lint(report.lint),
        folds(report.folds),
        notes(_notes(report)),
        made_of(
            report.inputs,
            {stage.name: stage.origin.recipe for stage in stages if stage.origin},
            report.versions,
            dict(_artifacts(report)),
        ),
    )
    return Document(
        title=f"{report.model}: float and quantized",
        subtitle=subtitle(report),
        headline=verdict(report),
        sections=tuple(section for section in found if isinstance(section, Section)),
    )


def subtitle(report: ComparisonReport) -> str:
    """Tell on what the models were compared."""
    name = next((report.data[key] for key in ("name", "function") if key in report.data), None)
    data = samples_in_words(report.samples) + (f" of {name}" if name else "")
    return f"On the same {data}; float ran on {report.float_runtime}"


def _notes(report: ComparisonReport) -> Iterator[str]:
    yield from report.notes
    for stage in report.stages:
        if stage.origin:
            yield from (f"{stage.name}: {note}" for note in stage.origin.notes)
        if stage.validation:
            yield from (f"{stage.name}: {note}" for note in stage.validation.notes)


def _artifacts(report: ComparisonReport) -> Iterator[tuple[str, Artifact]]:
    for stage in report.stages:
        if stage.artifact:
            made = ", converted" if stage.is_converted else ""
            yield f"{stage.name}: {stage.file}{made}", stage.artifact
        if stage.origin and stage.origin.c_array:
            yield f"{stage.name} as a C array", stage.origin.c_array
