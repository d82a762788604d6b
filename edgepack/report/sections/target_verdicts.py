"""What the targets say of the models."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from edgepack.checks import Result, documentation
from edgepack.report.data.target import FAILED, NOT_CHECKED, PASSED, TargetReport
from edgepack.report.document.block_shortcuts import bullets, figures, table, toned, words
from edgepack.report.document.blocks import Block, Details, Row, Section, Text, Tone
from edgepack.report.format import amounts

_TONES = {PASSED: Tone.GOOD, FAILED: Tone.BAD, NOT_CHECKED: Tone.UNSURE}
_LEAD = (
    "Whether the devices can run the model. On microcontrollers flash and RAM count the runtime,"
    " too, and the arena is the least that it can start in; limits are what the application leaves."
)
_COLUMNS = (
    words("target"),
    words("verdict"),
    figures("flash"),
    figures("RAM"),
    figures("arena"),
    figures("flash limit"),
    figures("RAM limit"),
)


def targets(models: Mapping[str, Mapping[str, TargetReport]]) -> Section | None:
    """Tell what each target says of each model, by the model's name."""
    blocks = [block for name, found in models.items() if found for block in _blocks(name, found)]
    if not blocks:
        return None
    return Section(
        id="targets",
        title="Targets",
        lead=_LEAD,
        blocks=tuple(blocks),
    )


def _blocks(model: str, found: Mapping[str, TargetReport]) -> Iterator[Block]:
    rows = [_row(name, each) for name, each in found.items()]
    yield table(f"{model} on its targets", _COLUMNS, rows)
    for name, each in found.items():
        for reason in each.verdict.reasons:
            yield Text(text=f"{FAILED} on {name}: {reason}", tone=Tone.BAD)
        for sentence in each.verdict.missing:
            yield Text(text=f"{NOT_CHECKED} on {name}: {sentence}", tone=Tone.UNSURE)
    notes = tuple(
        f"{name}: {note}"
        for name, each in found.items()
        for result in each.verdict.results
        for note in result.notes
    )
    if notes:
        yield Details(summary=f"Notes on {model}", blocks=bullets(notes))
    for name, each in found.items():
        yield Details(
            summary=f"What was checked of {model} for {name}",
            blocks=(
                table(
                    f"Checks of {model} for {name}",
                    [words("check"), words("outcome"), words("rule")],
                    list(_checks(each)),
                ),
            ),
        )


def _row(name: str, found: TargetReport) -> Row:
    arena = found.footprint.arena.least if found.footprint else None
    sizes = [found.flash_bytes, found.ram_bytes, arena]
    sizes += [found.target.model_flash_bytes, found.target.model_ram_bytes]
    return toned([name, found.word, *map(amounts.bytes_of, sizes)], _TONES[found.word])


def _checks(found: TargetReport) -> Iterator[Row]:
    rules = documentation()
    for result in found.verdict.results:
        outcome, tone = _outcome(result)
        name = result.check.replace("_", " ")
        yield toned([name, outcome, rules.get(result.check, "")], tone)


def _outcome(result: Result) -> tuple[str, Tone]:
    if result.why_not:
        return f"does not apply: {result.why_not}", Tone.PLAIN
    return (FAILED, Tone.BAD) if result.failures else (PASSED, Tone.GOOD)
