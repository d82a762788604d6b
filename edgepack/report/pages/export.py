"""The page of an export: what was made, and how good it is."""

from __future__ import annotations

from typing import Any

from edgepack.evaluation.drop_sentences import samples_in_words
from edgepack.report.data.comparison import FLOAT
from edgepack.report.data.export import Report
from edgepack.report.document.blocks import Document, Headline, Section, Tone
from edgepack.report.sections.ledger import score_ledger
from edgepack.report.sections.made_of import made_of
from edgepack.report.sections.notes import notes
from edgepack.report.sections.target_verdicts import targets
from edgepack.report.sections.weight_sparsity import sparsity
from edgepack.report.text.export import export_verdict
from edgepack.storage.manifest import Manifest


def export_document(report: Report, manifest: Manifest) -> Document:
    """Put the page together from the report and the manifest of the folder."""
    scheme, data = report.comparison.scheme, report.comparison.data
    recipe = manifest.recipe.told if manifest.recipe else {}
    inputs = {role: found for role, found in recipe.items() if _is_input(found)}
    of_float = report.compression[-1].stage if report.compression else FLOAT
    settings = {key: value for key, value in recipe.items() if key not in inputs}
    found = (
        score_ledger(report.comparison, report.float_runtime, report.compression),
        targets({scheme: report.targets}),
        sparsity({of_float: report.sparsity.float, scheme: report.sparsity.quantized}),
        notes(report.notes),
        made_of(inputs, {report.model: settings}, manifest.versions, report.artifacts),
    )
    return Document(
        title=f"{report.model} in {scheme}",
        subtitle=f"On {samples_in_words(report.comparison.samples)} of the {data} data",
        headline=Headline(
            word="PASSED" if report.passed else "FAILED",
            tone=Tone.GOOD if report.passed else Tone.BAD,
            sentences=(_without_word(export_verdict(report)),),
        ),
        sections=tuple(section for section in found if isinstance(section, Section)),
    )


def _without_word(verdict: str) -> str:
    """Leave out the word at the beginning, which stands above the sentence."""
    return verdict.partition(": ")[2]


def _is_input(setting: Any) -> bool:
    """Whether a part of the recipe names a file, a function or an object that went in."""
    return isinstance(setting, dict) and bool({"sha256", "function", "object"} & setting.keys())
