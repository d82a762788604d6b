"""The section of the linter's findings in the data."""

from __future__ import annotations

from edgepack.core.wording import counted
from edgepack.report.data.lint import LintReport
from edgepack.report.document.block_shortcuts import bullet_blocks
from edgepack.report.document.blocks import Block, Section, Text, Tone


def lint_section(report: LintReport | None) -> Section | None:
    """Return the findings with their likely cures, and what was checked."""
    if report is None:
        return None
    blocks: list[Block] = [
        Text(
            text=(
                f"{finding.rule}, {finding.dataset}: {finding.sentence}."
                f" Likely cure: {finding.cure}."
            ),
            tone=Tone.UNSURE,
        )
        for finding in report.findings
    ]
    if not report.findings:
        blocks.append(Text(text="No findings.", tone=Tone.GOOD))
    blocks += bullet_blocks(
        f"{role}: {counted(count, 'sample')}, {_evidence(report.witnesses.get(role, ()))}"
        for role, count in report.samples.items()
    )
    return Section(
        id="lint",
        title="Data checks",
        lead="Labels, scales and samples in the data that are likely wrong.",
        blocks=tuple(blocks),
    )


def _evidence(witnesses: tuple[str, ...]) -> str:
    if not witnesses:
        return "scale not checked: the model does not show how its training data were scaled"
    return f"compared with {', '.join(witnesses)}"
