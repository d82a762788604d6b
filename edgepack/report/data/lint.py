"""The report of ``edgepack lint``: findings in the datasets."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from edgepack.calibration.lint import LintFinding
from edgepack.core.schema_version import SCHEMA


@dataclass(frozen=True, kw_only=True)
class LintReport:
    """The findings in a model's datasets, and the evidence for them.

    ``samples`` is the number of samples of each dataset, by role. ``witnesses`` names, by role,
    what in the model or the labels shows how the training data were prepared.
    """

    model: str
    samples: dict[str, int]
    witnesses: dict[str, tuple[str, ...]]
    findings: tuple[LintFinding, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return the content of the JSON that ``edgepack lint --json`` prints."""
        return {
            "schema": SCHEMA,
            "model": self.model,
            "samples": self.samples,
            "witnesses": {role: list(names) for role, names in self.witnesses.items()},
            "findings": [asdict(finding) for finding in self.findings],
        }
