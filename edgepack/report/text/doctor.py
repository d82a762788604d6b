"""The report of ``edgepack doctor`` as plain text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from edgepack.report.data.doctor import INSTALLED, MISSING, DoctorReport
from edgepack.report.format.text_table import NONE, hanging_paragraph, text_table

_NOT_TRIED = "not tried; only the version was looked at"


def render_doctor(report: DoctorReport) -> str:
    """Return a table of everything, what is wrong with what that costs, and the verdict."""
    rows = [["kind", "name", "found", "state"]]
    rows += [[each.kind, each.name, each.found or NONE, each.state] for each in report.examined]
    return "\n\n".join(
        filter(
            None,
            [
                ", ".join(
                    (
                        f"edgepack {report.edgepack or '(not installed)'}",
                        f"Python {report.python}",
                        *(report.system, report.machine),
                    )
                ),
                text_table(rows, left=4),
                "\n".join(_legend(report)),
                "\n".join(_lacks(report)),
                "\n".join(_verdict(report)),
            ],
        )
    )


def _legend(report: DoctorReport) -> Iterator[str]:
    if any(each.state == INSTALLED for each in report.examined):
        yield hanging_paragraph(f"{INSTALLED}  ", _NOT_TRIED)


def _lacks(report: DoctorReport) -> Iterator[str]:
    """Yield what is wrong, once for what shares a package."""
    names: dict[tuple[str, str], list[str]] = {}
    for each in report.examined:
        if each.cure:
            text = "; ".join(filter(None, (each.problem, each.lost, each.cure)))
            names.setdefault((each.state, text), []).append(each.name)
    for (state, text), named in names.items():
        yield hanging_paragraph(f"{state:<{len(MISSING)}}  ", f"{', '.join(named)}: {text}")


def _verdict(report: DoctorReport) -> Iterator[str]:
    if not (report.unable or report.in_part or report.uncertain):
        unsure = [each.name for each in report.examined if each.state == INSTALLED]
        but = f", if what was not tried does: {', '.join(unsure)}" if unsure else ""
        yield hanging_paragraph("", f"every command can work{but}")
    for words, commands in (
        ("cannot work", report.unable),
        ("can work in part only", report.in_part),
        ("may not work", report.uncertain),
    ):
        if commands:
            yield hanging_paragraph(f"{words}: ", "; ".join(_because(commands)))


def _because(commands: Mapping[str, tuple[str, ...]]) -> Iterator[str]:
    """Yield the commands that lack the same, and what that is."""
    for lacking in dict.fromkeys(commands.values()):
        names = [name for name, lack in commands.items() if lack == lacking]
        yield f"{', '.join(names)}, because of {', '.join(lacking)}"
