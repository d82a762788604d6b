"""The report of ``edgepack firmware`` as plain text."""

from __future__ import annotations

from collections.abc import Iterator

from edgepack.core.wording import counted
from edgepack.report.data.firmware import FirmwareReport
from edgepack.report.data.target import FAILED, PASSED, in_table
from edgepack.report.format.amounts import format_count
from edgepack.report.format.text_table import hanging_paragraph, text_table
from edgepack.report.text.target import render_findings

_COMPUTED = "in bytes; arena and RAM computed for {}, the runtime's flash estimated"


def render_firmware(report: FirmwareReport) -> str:
    """Return the report as plain text."""
    target = report.target
    parts = [
        text_table(list(_rows(report))),
        "\n".join(
            [
                hanging_paragraph("memory    ", _COMPUTED.format(target.description)),
                *(
                    hanging_paragraph(
                        "resolver  ",
                        f"{name}: {len(model.operators)}, {', '.join(model.operators)}",
                    )
                    for name, model in report.models.items()
                ),
                hanging_paragraph("arena     ", "; ".join(_arenas(report))),
                hanging_paragraph("vectors   ", "; ".join(_vectors(report))),
            ]
        ),
        "\n".join(
            filter(None, (render_findings({name: m.target}) for name, m in report.models.items()))
        ),
        _verdict(report),
    ]
    return "\n\n".join(part for part in parts if part)


def _rows(report: FirmwareReport) -> Iterator[list[str]]:
    flash, ram = report.target.model_flash_bytes, report.target.model_ram_bytes
    yield ["model", "verdict", "model.c", "arena", "flash", "of", "RAM", "of"]
    for name, model in report.models.items():
        yield [
            name,
            in_table(model.target.word),
            format_count(model.artifact.bytes),
            format_count(model.arena_bytes),
            format_count(model.target.flash_bytes),
            format_count(flash),
            format_count(model.ram_bytes),
            format_count(ram),
        ]
    if len(report.models) > 1:
        yield [
            "together",
            in_table(PASSED if report.fits else FAILED),
            format_count(sum(model.artifact.bytes for model in report.models.values())),
            format_count(report.arena_bytes),
            format_count(report.flash_bytes),
            format_count(flash),
            format_count(report.ram_bytes),
            format_count(ram),
        ]


def _arenas(report: FirmwareReport) -> Iterator[str]:
    for name, model in report.models.items():
        assert model.target.footprint is not None  # noqa: S101 (firmware is written only with one)
        arena = model.target.footprint.arena
        most = f"{arena.least + arena.reserve:,}"
        others = f", {most} with other builds of TensorFlow Lite Micro" if arena.reserve else ""
        yield f"{name} needs {arena.least:,} to start{others}"
    if len(report.models) > 1:
        yield "models that run in turn can share one arena, the largest"


def _vectors(report: FirmwareReport) -> Iterator[str]:
    for name, model in report.models.items():
        yield f"{name}: {model.vectors} {model.data} {'input' if model.vectors == 1 else 'inputs'}"


def _verdict(report: FirmwareReport) -> str:
    files = counted(len(report.files), "file")
    return f"{report.word.upper()}: {files}, layout {report.layout}, for {report.target.name}"
