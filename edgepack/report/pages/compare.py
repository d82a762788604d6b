"""The page of a comparison."""

from __future__ import annotations

from collections.abc import Iterator

from edgepack.core.wording import counted
from edgepack.report.data.compare import QUANTIZED, CompareReport
from edgepack.report.data.shown_samples import ShownSamples
from edgepack.report.document.blocks import Document, Section
from edgepack.report.sections.confusion import confusion_section
from edgepack.report.sections.disagreements import disagreements_section
from edgepack.report.sections.folds import folds_section
from edgepack.report.sections.layer_errors import layer_errors_section
from edgepack.report.sections.lint_findings import lint_section
from edgepack.report.sections.metrics import metrics_section
from edgepack.report.sections.models_table import models_section
from edgepack.report.sections.notes import notes_section
from edgepack.report.sections.per_class import per_class_section
from edgepack.report.sections.provenance_tables import provenance_section
from edgepack.report.sections.ranges import ranges_section
from edgepack.report.sections.sizes import sizes_section
from edgepack.report.sections.target_verdicts import target_verdicts_section
from edgepack.report.sections.verdict import verdict_headline
from edgepack.report.sections.weight_sparsity import weight_sparsity_section
from edgepack.storage.artifact import Artifact


def comparison_document(report: CompareReport, samples: ShownSamples) -> Document:
    """Return the page of a comparison.

    ``samples`` are inputs and outputs of the worst samples, and need not have all of them.
    """
    stages = report.stages
    sections = (
        models_section(report),
        metrics_section(report),
        per_class_section(report),
        confusion_section(report),
        disagreements_section(report, samples),
        sizes_section(report),
        layer_errors_section(report),
        ranges_section(report),
        weight_sparsity_section({stage.name: stage.sparsity for stage in stages if stage.sparsity}),
        target_verdicts_section(
            {
                stage.name: stage.validation.targets
                for stage in stages
                if stage.validation and stage.role == QUANTIZED
            }
        ),
        lint_section(report.lint),
        folds_section(report.folds),
        notes_section(_notes(report)),
        provenance_section(
            report.inputs,
            {stage.name: stage.origin.recipe for stage in stages if stage.origin},
            report.versions,
            dict(_artifacts(report)),
        ),
    )
    return Document(
        title=f"{report.model}: float and quantized",
        subtitle=_subtitle(report),
        headline=verdict_headline(report),
        sections=tuple(section for section in sections if isinstance(section, Section)),
    )


def _subtitle(report: CompareReport) -> str:
    """Return on what data the models were compared."""
    name = next((report.data[key] for key in ("name", "function") if key in report.data), None)
    data = counted(report.samples, "sample") + (f" of {name}" if name else "")
    return f"On the same {data}; the float model ran on {report.float_runtime}"


def _notes(report: CompareReport) -> Iterator[str]:
    yield from report.notes
    for stage in report.stages:
        if stage.origin:
            yield from (f"{stage.name}: {note}" for note in stage.origin.notes)
        if stage.validation:
            yield from (f"{stage.name}: {note}" for note in stage.validation.notes)


def _artifacts(report: CompareReport) -> Iterator[tuple[str, Artifact]]:
    for stage in report.stages:
        if stage.artifact:
            converted = ", converted" if stage.is_converted else ""
            yield f"{stage.name}: {stage.file}{converted}", stage.artifact
        if stage.origin and stage.origin.c_array:
            yield f"{stage.name} as a C array", stage.origin.c_array
