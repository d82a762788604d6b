"""The section of targets: verdict, memory and checks of each model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from edgepack.checks import Result, documentation
from edgepack.report.data.target import FAILED, NOT_CHECKED, NOT_SHOWN, PASSED, TargetReport
from edgepack.report.document.block_shortcuts import (
    bullet_blocks,
    number_column,
    table_block,
    text_column,
    toned_row,
)
from edgepack.report.document.blocks import Block, Details, Row, Section, Text, Tone
from edgepack.report.format import amounts

_TONES = {
    PASSED: Tone.GOOD,
    FAILED: Tone.BAD,
    NOT_CHECKED: Tone.UNSURE,
    NOT_SHOWN: Tone.UNSURE,
}
_LEAD = (
    "Whether the devices can run the model. On microcontrollers, flash and RAM include the runtime,"
    " and the arena is the smallest in which it starts. Limits are what the application leaves."
)
_COLUMNS = (
    text_column("target"),
    text_column("verdict"),
    number_column("flash"),
    number_column("RAM"),
    number_column("arena"),
    number_column("flash limit"),
    number_column("RAM limit"),
)


def target_verdicts_section(models: Mapping[str, Mapping[str, TargetReport]]) -> Section | None:
    """Return memory and verdict on each target, and the checks; ``models`` are by name."""
    blocks = [
        block for name, targets in models.items() if targets for block in _blocks(name, targets)
    ]
    if not blocks:
        return None
    return Section(
        id="targets",
        title="Targets",
        lead=_LEAD,
        blocks=tuple(blocks),
    )


def _blocks(model: str, targets: Mapping[str, TargetReport]) -> Iterator[Block]:
    rows = [_row(name, each) for name, each in targets.items()]
    yield table_block(f"{model} on its targets", _COLUMNS, rows)
    for name, each in targets.items():
        for reason in each.verdict.reasons:
            yield Text(text=f"{FAILED} on {name}: {reason}", tone=Tone.BAD)
        for finding in each.verdict.undecided:
            yield Text(text=f"{NOT_SHOWN} on {name}: {finding}", tone=Tone.UNSURE)
        for sentence in each.verdict.missing:
            yield Text(text=f"{NOT_CHECKED} on {name}: {sentence}", tone=Tone.UNSURE)
    notes = tuple(
        f"{name}: {note}"
        for name, each in targets.items()
        for result in each.verdict.results
        for note in result.notes
    )
    if notes:
        yield Details(summary=f"Notes on {model}", blocks=bullet_blocks(notes))
    for name, each in targets.items():
        yield Details(
            summary=f"Checks of {model} for {name}",
            blocks=(
                table_block(
                    f"Checks of {model} for {name}",
                    [text_column("check"), text_column("outcome"), text_column("rule")],
                    list(_checks(each)),
                ),
            ),
        )


def _row(name: str, report: TargetReport) -> Row:
    arena = report.footprint.arena.least if report.footprint else None
    sizes = [report.flash_bytes, report.ram_bytes, arena]
    sizes += [report.target.model_flash_bytes, report.target.model_ram_bytes]
    return toned_row([name, report.word, *map(amounts.format_bytes, sizes)], _TONES[report.word])


def _checks(report: TargetReport) -> Iterator[Row]:
    rules = documentation()
    for result in report.verdict.results:
        outcome, tone = _outcome(result)
        name = result.check.replace("_", " ")
        yield toned_row([name, outcome, rules.get(result.check, "")], tone)


def _outcome(result: Result) -> tuple[str, Tone]:
    if result.why_not:
        return f"does not apply: {result.why_not}", Tone.PLAIN
    if result.failures:
        return FAILED, Tone.BAD
    return (NOT_SHOWN, Tone.UNSURE) if result.undecided else (PASSED, Tone.GOOD)
