"""Whether targets can run a model, as plain text: memory, verdicts and findings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from edgepack.core.findings import Finding
from edgepack.report.data.target import FAILED, NOT_CHECKED, NOT_SHOWN, TargetReport, in_table
from edgepack.report.format.amounts import format_count
from edgepack.report.format.text_table import hanging_paragraph, list_names, text_table

_COMPUTED = "arena and RAM computed for the device, the runtime's flash estimated"
_MEASURED = "on phones and boards flash is the model file, RAM the process's peak on this machine"


def render_targets(targets: Mapping[str, TargetReport]) -> str:
    """Return a table of the memory that the model needs on each target, and of its limits."""
    rows = [["target", "verdict", "flash", "of", "RAM", "of", "arena"]]
    for name, report in targets.items():
        rows.append(
            [
                name,
                in_table(report.word),
                format_count(report.flash_bytes),
                format_count(report.target.model_flash_bytes),
                format_count(report.ram_bytes),
                format_count(report.target.model_ram_bytes),
                format_count(report.arena_bytes),
            ]
        )
    lines = [*_memory(targets)]
    lines += [_plan(name, report) for name, report in targets.items() if report.compilation]
    return "\n".join([text_table(rows), *([""] if lines else []), *filter(None, lines)])


def _memory(targets: Mapping[str, TargetReport]) -> Iterator[str]:
    """Yield what the figures of memory are."""
    kinds = []
    if any(report.target.kernels for report in targets.values()):
        kinds.append(_COMPUTED)
    if any(report.ram_bytes and not report.target.kernels for report in targets.values()):
        kinds.append(_MEASURED)
    if kinds:
        yield hanging_paragraph("memory    ", f"in bytes; {'; '.join(kinds)}")


def _plan(name: str, report: TargetReport) -> str:
    """Return what Vela plans for the target's NPU; empty if there is no plan."""
    if report.compilation is None or (plan := report.compilation.plan) is None:
        return ""
    return (
        f"npu       {name}: Vela {report.compilation.version} plans {plan.sram_bytes:,} bytes of"
        f" SRAM and a model of {plan.file_bytes:,} bytes"
    )


def render_findings(targets: Mapping[str, TargetReport]) -> str:
    """Return the findings of all targets, those of several targets once."""
    targets_of: dict[tuple[str, str], list[str]] = {}
    for name, report in targets.items():
        for word, text in _findings(report):
            targets_of.setdefault((word, text), []).append(name)
    return "\n".join(
        hanging_paragraph(f"{word}  ", f"{list_names(list(dict.fromkeys(names)))}: {text}")
        for (word, text), names in targets_of.items()
    )


def _severity(finding: Finding) -> str:
    if finding.is_note:
        return "note  "
    return in_table(NOT_SHOWN if finding.is_undecided else FAILED)


def _findings(report: TargetReport) -> Iterator[tuple[str, str]]:
    for finding in report.verdict.findings:
        yield _severity(finding), str(finding)
    for sentence in report.verdict.missing:
        yield NOT_CHECKED, sentence
