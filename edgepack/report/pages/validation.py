"""The page of a validation: whether targets can run the model."""

from __future__ import annotations

from collections.abc import Iterator

from edgepack.evaluation.drop_sentences import samples_in_words
from edgepack.report.data.target import FAILED, NOT_CHECKED
from edgepack.report.data.validation import ValidationReport
from edgepack.report.document.block_shortcuts import figures, table, toned, words
from edgepack.report.document.blocks import Document, Headline, Row, Section, Tone
from edgepack.report.format.amounts import interpreter
from edgepack.report.format.text_table import NONE
from edgepack.report.sections.ledger import score_ledger
from edgepack.report.sections.made_of import made_of
from edgepack.report.sections.notes import notes
from edgepack.report.sections.target_verdicts import targets
from edgepack.report.text.export import off_reference
from edgepack.report.text.validation import costs, validation_verdict


def validation_document(report: ValidationReport) -> Document:
    """Put the page together."""
    words_ = {target.word for target in report.targets.values()}
    tone = Tone.BAD if FAILED in words_ else Tone.UNSURE if NOT_CHECKED in words_ else Tone.GOOD
    word = FAILED if tone is Tone.BAD else NOT_CHECKED.upper() if tone is Tone.UNSURE else "PASSED"
    found = (
        targets({report.model: report.targets}),
        score_ledger(report.comparison, NONE) if report.comparison else None,
        _runtimes(report),
        notes(report.notes),
        made_of({}, {}, {}, {report.model: report.artifact}),
    )
    return Document(
        title=f"{report.model} on its targets",
        subtitle=f"Run on {samples_in_words(report.samples)} of {report.data} data",
        headline=Headline(word=word, tone=tone, sentences=(_verdict(report, tone),)),
        sections=tuple(section for section in found if isinstance(section, Section)),
    )


def _verdict(report: ValidationReport, tone: Tone) -> str:
    """Name the targets; that all passed stands above."""
    return f"On {', '.join(report.targets)}" if tone is Tone.GOOD else validation_verdict(report)


def _runtimes(report: ValidationReport) -> Section | None:
    if not report.runtimes:
        return None
    columns = [
        words("interpreter"),
        words("version"),
        words("off reference", "largest difference from the reference kernels"),
        figures("median", "of one inference, on one thread"),
        figures("90 %", "of inferences take no longer"),
        figures("of float", "time over that of the float model"),
        figures("memory", "peak of the interpreter's process"),
    ]
    return Section(
        id="interpreters",
        title="Interpreters",
        lead="Time and memory are this machine's, not a device's.",
        blocks=(table("How the interpreters ran the model", columns, list(_rows(report))),),
    )


def _rows(report: ValidationReport) -> Iterator[Row]:
    for name, run in report.runtimes.items():
        off = max(run.deviations.values(), key=lambda each: each.max_lsb, default=None)
        cells = [
            _ran(report, name),
            run.version,
            run.failure or off_reference(None, off),
            *costs(run),
        ]
        yield toned(cells, Tone.BAD if run.failure else Tone.PLAIN)


def _ran(report: ValidationReport, name: str) -> str:
    """Name an interpreter, and how many samples it ran if those were not all."""
    outputs = report.comparison.outputs.values() if report.comparison else ()
    return next((interpreter(output, name) for output in outputs), name)
