"""What the linter found: data first, and how a person reads it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from edgepack.calibration.lint import LintFinding
from edgepack.core.schema_version import SCHEMA


@dataclass(frozen=True, kw_only=True)
class LintReport:
    """The findings in a model's datasets, and what they rest on.

    ``samples`` counts the samples of each dataset; ``witnesses`` says what in the model, or in
    the labels, tells how the data were prepared for its training.
    """

    model: str
    samples: dict[str, int]
    witnesses: dict[str, tuple[str, ...]]
    findings: tuple[LintFinding, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return what ``edgepack lint --json`` prints."""
        return {
            "schema": SCHEMA,
            "model": self.model,
            "samples": self.samples,
            "witnesses": {role: list(found) for role, found in self.witnesses.items()},
            "findings": [asdict(finding) for finding in self.findings],
        }


def render_lint(report: LintReport) -> str:
    """Write the findings, each with its cure, and what was checked."""
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
        yield f"{role}: {samples:,} samples" + (f", held against {witnesses}" if witnesses else "")
    if not any(report.witnesses.values()):
        yield "the model tells nothing of its training data: their scale was not checked"


def _verdict(count: int) -> str:
    return {0: "no findings", 1: "1 finding"}.get(count, f"{count} findings")
