"""What targets say of a model, as a person reads it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from edgepack.report.data.target import FAILED, NOT_CHECKED, TargetReport
from edgepack.report.format.amounts import count
from edgepack.report.format.text_table import hang, shorten, table

_COMPUTED = (
    "memory    in bytes; arena and RAM computed for the device, the runtime's flash estimated"
)
_MEASURED = (
    "memory    in bytes; of phones and boards: the model's file, the process's peak of RAM here"
)


def render_targets(targets: Mapping[str, TargetReport]) -> str:
    """Write a table: what the model takes of each, and of how much."""
    rows = [["target", "verdict", "flash", "of", "RAM", "of", "arena"]]
    for name, found in targets.items():
        footprint = found.footprint
        rows.append(
            [
                name,
                found.word,
                count(found.flash_bytes),
                count(found.target.model_flash_bytes),
                count(found.ram_bytes),
                count(found.target.model_ram_bytes),
                count(footprint.arena.least if footprint else None),
            ]
        )
    lines = [_COMPUTED] if any(found.target.kernels for found in targets.values()) else []
    if any(found.ram_bytes and not found.target.kernels for found in targets.values()):
        lines.append(_MEASURED)
    lines += [_plan(name, found) for name, found in targets.items() if found.compilation]
    return "\n".join([table(rows), *([""] if lines else []), *filter(None, lines)])


def _plan(name: str, found: TargetReport) -> str:
    """Tell what Vela plans for an NPU."""
    if found.compilation is None or (plan := found.compilation.plan) is None:
        return ""
    return (
        f"npu       {name}: Vela {found.compilation.version} plans {plan.sram_bytes:,} bytes of"
        f" SRAM and a model of {plan.file_bytes:,} bytes"
    )


def render_findings(targets: Mapping[str, TargetReport]) -> str:
    """Tell what was found; the same of several targets once."""
    said: dict[tuple[str, str], list[str]] = {}
    for name, found in targets.items():
        for word, text in _said(found):
            said.setdefault((word, text), []).append(name)
    return "\n".join(
        hang(f"{word}  ", f"{shorten(names)}: {text}") for (word, text), names in said.items()
    )


def _said(found: TargetReport) -> Iterator[tuple[str, str]]:
    for finding in found.verdict.findings:
        yield "note  " if finding.is_note else FAILED, str(finding)
    for sentence in found.verdict.missing:
        yield NOT_CHECKED, sentence
