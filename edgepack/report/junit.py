"""A validation as JUnit XML: a suite for each target, a case for each check."""

from __future__ import annotations

from xml.etree.ElementTree import Element, SubElement, indent, tostring

from edgepack.report.target import TargetReport
from edgepack.report.validation import ValidationReport


def render_junit(report: ValidationReport) -> str:
    """Write the report for the many tools that read JUnit's results."""
    suites = Element("testsuites", name=f"edgepack validate {report.model}")
    for name, target in report.targets.items():
        suites.append(_suite(name, target))
    indent(suites)
    return tostring(suites, encoding="unicode", xml_declaration=True)


def _suite(name: str, target: TargetReport) -> Element:
    results, missing = target.verdict.results, target.verdict.missing
    suite = Element(
        "testsuite",
        name=name,
        tests=str(len(results) + len(missing)),
        failures=str(sum(bool(result.failures) for result in results)),
        errors="0",
        skipped=str(len(missing)),
    )
    for result in results:
        case = SubElement(suite, "testcase", classname=name, name=result.check)
        if result.failures:
            said = [_text(str(finding)) for finding in result.failures]
            SubElement(case, "failure", message=said[0]).text = "\n".join(said)
    for sentence in missing:
        case = SubElement(suite, "testcase", classname=name, name="tools_are_installed")
        SubElement(case, "skipped", message=_text(sentence))
    return suite


def _text(said: str) -> str:
    """Leave out what XML has no way to write: names in a damaged file hold any character."""
    return "".join(sign if sign.isprintable() else "?" for sign in said)
