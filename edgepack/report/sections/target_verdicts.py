"""The section of targets: verdict, memory and checks of each model."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping

from edgepack.checks import Result, documentation
from edgepack.report.data.target import (
    FAILED,
    NOT_CHECKED,
    NOT_SHOWN,
    PASSED,
    TargetReport,
    in_table,
)
from edgepack.report.document.block_shortcuts import (
    bullet_blocks,
    number_column,
    table_block,
    text_column,
    toned_row,
)
from edgepack.report.document.blocks import Block, Details, Row, Section, Text, Tone
from edgepack.report.format import amounts
from edgepack.report.format.text_table import list_names
from edgepack.report.sections.check_titles import check_title

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
    applied = {
        result.check
        for targets in models.values()
        for report in targets.values()
        for result in report.verdict.results
        if not result.why_not
    }
    return Section(
        id="targets",
        title="Targets",
        lead=_LEAD,
        blocks=(*blocks, _rules(applied)),
    )


def _blocks(model: str, targets: Mapping[str, TargetReport]) -> Iterator[Block]:
    rows = [_row(name, each) for name, each in targets.items()]
    yield table_block(f"{model} on its targets", _COLUMNS, rows)
    verdicts = {name: each.verdict for name, each in targets.items()}
    for reason, names in _by_text({name: each.reasons for name, each in verdicts.items()}):
        yield Text(text=f"{in_table(FAILED)} on {names}: {reason}", tone=Tone.BAD)
    undecided = {name: map(str, each.undecided) for name, each in verdicts.items()}
    for finding, names in _by_text(undecided):
        yield Text(text=f"{NOT_SHOWN} on {names}: {finding}", tone=Tone.UNSURE)
    for sentence, names in _by_text({name: each.missing for name, each in verdicts.items()}):
        yield Text(text=f"{NOT_CHECKED} on {names}: {sentence}", tone=Tone.UNSURE)
    notes = {
        name: [str(note) for result in each.results for note in result.notes]
        for name, each in verdicts.items()
    }
    if any(notes.values()):
        listed = [f"{names}: {note}" for note, names in _by_text(notes)]
        yield Details(summary=f"Notes on {model}", blocks=bullet_blocks(listed))
    for name, each in targets.items():
        title = f"Checks of {model} for {name}"
        columns = [text_column("check"), text_column("outcome")]
        blocks: list[Block] = [table_block(title, columns, list(_checks(each)))]
        if others := _not_applied(each):
            blocks.append(Text(text=others))
        yield Details(summary=title, blocks=tuple(blocks))


def _by_text(of: Mapping[str, Iterable[str]]) -> Iterator[tuple[str, str]]:
    """Yield each text of targets once, with a list of the targets that have it."""
    targets: dict[str, list[str]] = {}
    for name, texts in of.items():
        for text in dict.fromkeys(texts):
            targets.setdefault(text, []).append(name)
    for text, names in targets.items():
        yield text, list_names(names)


def _row(name: str, report: TargetReport) -> Row:
    sizes = [report.flash_bytes, report.ram_bytes, report.arena_bytes]
    sizes += [report.target.model_flash_bytes, report.target.model_ram_bytes]
    cells = [name, in_table(report.word), *map(amounts.format_bytes, sizes)]
    return toned_row(cells, _TONES[report.word])


def _checks(report: TargetReport) -> Iterator[Row]:
    """Yield a row for each check that applies."""
    for result in report.verdict.results:
        if not result.why_not:
            outcome, tone = _outcome(result)
            yield toned_row([check_title(result.check), outcome], tone)


def _not_applied(report: TargetReport) -> str:
    """Return which checks do not apply, by the reason; empty if all do."""
    reasons: dict[str, list[str]] = {}
    for result in report.verdict.results:
        if result.why_not:
            reasons.setdefault(result.why_not, []).append(check_title(result.check))
    if not reasons:
        return ""
    clauses = "; ".join(f"{', '.join(titles)} ({why})" for why, titles in reasons.items())
    return f"Does not apply: {clauses}."


def _rules(applied: Collection[str]) -> Details:
    """Return the rules of the checks that apply to any target, each once."""
    rules = {name: rule for name, rule in documentation().items() if name in applied}
    title = "What each check requires"
    columns = [text_column("check"), text_column("rule")]
    rows = [[check_title(name), rule] for name, rule in rules.items()]
    return Details(summary=title, blocks=(table_block(title, columns, rows),))


def _outcome(result: Result) -> tuple[str, Tone]:
    if result.failures:
        return in_table(FAILED), Tone.BAD
    return (NOT_SHOWN, Tone.UNSURE) if result.undecided else (PASSED, Tone.GOOD)
