"""What the linter says of the data."""

from __future__ import annotations

from edgepack.evaluation.drop_sentences import samples_in_words
from edgepack.report.data.lint import LintReport
from edgepack.report.document.block_shortcuts import bullets
from edgepack.report.document.blocks import Block, Section, Text, Tone


def lint(report: LintReport | None) -> Section | None:
    """Tell the findings with their cures, and what was checked."""
    if report is None:
        return None
    blocks: list[Block] = [
        Text(
            text=f"{found.rule}, {found.dataset}: {found.sentence}. Likely cure: {found.cure}.",
            tone=Tone.UNSURE,
        )
        for found in report.findings
    ]
    if not report.findings:
        blocks.append(Text(text="Nothing was found.", tone=Tone.GOOD))
    blocks += bullets(
        f"{role}: {samples_in_words(many)}, {_against(report.witnesses.get(role, ()))}"
        for role, many in report.samples.items()
    )
    return Section(
        id="lint",
        title="The data",
        lead="What the linter sees in the data: labels, scales and samples that are likely wrong.",
        blocks=tuple(blocks),
    )


def _against(witnesses: tuple[str, ...]) -> str:
    if not witnesses:
        return "with nothing in the model that tells how they should be scaled"
    return f"held against {', '.join(witnesses)}"
