"""The page of an export."""

from __future__ import annotations

from typing import Any

from edgepack.core.wording import counted
from edgepack.report.data.compare import FLOAT
from edgepack.report.data.export import ExportReport
from edgepack.report.document.blocks import Document, Section
from edgepack.report.pages.outcome import outcome_headline
from edgepack.report.sections.models_table import scores_section
from edgepack.report.sections.notes import notes_section
from edgepack.report.sections.provenance_tables import provenance_section
from edgepack.report.sections.target_verdicts import target_verdicts_section
from edgepack.report.sections.weight_sparsity import weight_sparsity_section
from edgepack.storage.manifest import Manifest


def export_document(report: ExportReport, manifest: Manifest) -> Document:
    """Return the page of an export, from its report and the manifest of its folder."""
    scheme, data = report.comparison.scheme, report.comparison.data
    recipe = manifest.recipe.values if manifest.recipe else {}
    inputs = {role: setting for role, setting in recipe.items() if _is_input(setting)}
    of_float = report.compression[-1].stage if report.compression else FLOAT
    settings = {key: value for key, value in recipe.items() if key not in inputs}
    sections = (
        scores_section(report.comparison, report.float_runtime, report.compression),
        target_verdicts_section({scheme: report.targets}),
        weight_sparsity_section(
            {of_float: report.sparsity.float, scheme: report.sparsity.quantized}
        ),
        notes_section((*(finding.note for finding in report.lint), *report.notes)),
        provenance_section(inputs, {report.model: settings}, manifest.versions, report.artifacts),
    )
    return Document(
        title=f"{report.model} in {scheme}",
        subtitle=f"On {counted(report.comparison.samples, 'sample')} of the {data} data",
        headline=outcome_headline(
            report.targets, report.comparison, report.budgets, report.lint, report.notes
        ),
        sections=tuple(section for section in sections if isinstance(section, Section)),
    )


def _is_input(setting: Any) -> bool:
    """Whether a part of the recipe describes an input: a file, a function or an object."""
    return isinstance(setting, dict) and bool({"sha256", "function", "object"} & setting.keys())
