"""The report of a validation as GitHub Actions annotations, one workflow command per line."""

from __future__ import annotations

from edgepack.core.wording import WARNING
from edgepack.report.data.target import PASSED
from edgepack.report.data.validate import ValidateReport


def render_github(report: ValidateReport) -> str:
    """Return an annotation for each finding and note.

    It is an error for a failure, and for what could not be checked or is not shown, a warning for a
    likely mistake, otherwise a notice. The format is documented in GitHub's, "Workflow commands
    for GitHub Actions".
    """
    lines = [
        f"::{'warning' if note.startswith(WARNING) else 'notice'} title={_property(report.model)}::"
        + _data(note.removeprefix(WARNING))
        for note in report.notes
    ]
    for name, target in report.targets.items():
        title = _property(f"{report.model} on {name}")
        for finding in target.verdict.findings:
            level = "notice" if finding.is_note else "error"
            lines.append(f"::{level} title={title}::{_data(str(finding))}")
        lines += [
            f"::error title={title}::{_data(sentence)}" for sentence in target.verdict.missing
        ]
        if target.word == PASSED:
            lines.append(f"::notice title={title}::passed")
    return "\n".join(lines)


def _data(text: str) -> str:
    """Escape a message.

    >>> _data("50 % of it")
    '50 %25 of it'
    """
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
