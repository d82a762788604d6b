"""The report of a validation as JUnit XML: a suite for each target, a case for each check."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from edgepack.checks import Result
from edgepack.core.printable import printable
from edgepack.report.data.target import TargetReport
from edgepack.report.data.validate import ValidateReport


def render_junit(report: ValidateReport) -> str:
    """Return the report as JUnit XML, which many CI tools read."""
    suites = Element("testsuites", name=f"edgepack validate {report.model}")
    for name, target in report.targets.items():
        suites.append(_suite(name, target, report.notes))
    indent(suites)
    return tostring(suites, encoding="unicode", xml_declaration=True)


def _suite(name: str, target: TargetReport, notes: Sequence[str]) -> Element:
    """Return the suite of a target, of which a CI tool makes what the exit status says.

    Checks that do not apply are skipped; those that cannot be decided are errors.
    """
    results, missing = target.verdict.results, target.verdict.missing
    suite = Element(
        "testsuite",
        name=name,
        tests=str(len(results) + len(missing)),
        failures=str(sum(bool(result.failures) for result in results)),
        errors=str(len(missing) + sum(map(_is_undecided, results))),
        skipped=str(sum(result.why_not is not None for result in results)),
    )
    for result in results:
        case = SubElement(suite, "testcase", classname=name, name=result.check)
        if result.why_not:
            SubElement(case, "skipped", message=result.why_not)
        if findings := result.failures or result.undecided:
            first, *others = [printable(str(finding)) for finding in findings]
            tag = "failure" if result.failures else "error"
            SubElement(case, tag, message=first).text = "\n".join(others)
        _note(case, map(str, result.notes))
    for sentence in missing:
        tool = sentence.partition(" ")[0]
        case = SubElement(suite, "testcase", classname=name, name=f"{tool}_is_installed")
        SubElement(case, "error", message=printable(sentence))
    _note(suite, notes)
    return suite


def _is_undecided(result: Result) -> bool:
    """Whether the samples do not show the outcome of a check."""
    return bool(result.undecided and not result.failures)


def _note(element: Element, notes: Iterable[str]) -> None:
    if text := "\n".join(map(printable, notes)):
        SubElement(element, "system-out").text = text
