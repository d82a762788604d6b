"""The report of ``edgepack lint`` as plain text."""

from __future__ import annotations

from collections.abc import Iterator

from edgepack.core.wording import counted
from edgepack.report.data.lint import LintReport


def render_lint(report: LintReport) -> str:
    """Return the findings, each with its likely cure, and what was checked."""
    return "\n\n".join(
        [
            *(
                f"{finding.rule}\n  {finding.dataset}: {finding.sentence}\n"
                f"  likely cure: {finding.cure}"
                for finding in report.findings
            ),
            "\n".join(_checked(report)),
            _verdict(len(report.findings)),
        ]
    )


def _checked(report: LintReport) -> Iterator[str]:
    for role, samples in report.samples.items():
        witnesses = ", ".join(report.witnesses[role])
        yield f"{role}: {counted(samples, 'sample')}" + (
            f", compared with {witnesses}" if witnesses else ""
        )
    if not any(report.witnesses.values()):
        yield "the model does not show how its training data were scaled: scales were not checked"


def _verdict(count: int) -> str:
    return {0: "no findings", 1: "1 finding"}.get(count, f"{count} findings")
