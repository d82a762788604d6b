"""The headline of a comparison's page: a verdict in a few words, then sentences."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from edgepack.core.wording import counted
from edgepack.evaluation.drop_sentences import change_sentence
from edgepack.evaluation.results import Change
from edgepack.report.data.compare import CompareReport
from edgepack.report.data.stage_runs import (
    StageOutput,
    all_runs,
    output_names,
    verdict_metric,
    worst_runs,
)
from edgepack.report.data.target import FAILED, NOT_SHOWN, PASSED
from edgepack.report.document.blocks import Headline, Tone
from edgepack.report.format import amounts
from edgepack.report.format.amounts import format_kept_budgets
from edgepack.report.sections.notes import warnings_among

_UNKNOWN = "Whether there is a drop is unknown"
_OUTCOMES = {
    PASSED: ("PASSED", Tone.GOOD),
    FAILED: ("FAILED", Tone.BAD),
    NOT_SHOWN: ("NOT SHOWN", Tone.UNSURE),
}


def verdict_headline(report: CompareReport) -> Headline:
    """Return the verdict of a comparison with its sentences, and the warnings about it."""
    word, tone = _word(report)
    sentences = (*verdict_sentences(report), *warnings_among(report.notes))
    return Headline(word=word, tone=tone, sentences=sentences)


def verdict_sentences(report: CompareReport) -> tuple[str, ...]:
    """Return what each model loses, then what fails, or is not shown, or which budgets are kept."""
    return (*loss_sentences(report), *map(str, report.findings), *kept_budgets(report))


def loss_sentences(report: CompareReport) -> list[str]:
    """Return what each model loses, on the interpreter where it loses most."""
    outputs = output_names(report)
    return [
        f"{output}: {sentence}" if len(outputs) > 1 else sentence
        for output in outputs
        for sentence in _sentences(report, output)
    ]


def kept_budgets(report: CompareReport) -> list[str]:
    """Return the budgets that all models keep; none if a model does not."""
    if report.word != PASSED:
        return []
    return list(format_kept_budgets(report.budgets, report.findings))


def _word(report: CompareReport) -> tuple[str, Tone]:
    if report.word is not None:
        return _OUTCOMES[report.word]
    if any(run.failure for _, _, run in all_runs(report)):
        return "An interpreter failed", Tone.BAD
    changes = list(_changes(report))
    if not changes:
        word = _UNKNOWN if report.metrics else "No labels: no metric was measured"
        return word, Tone.UNSURE
    return _verdict_on(changes)


def _verdict_on(changes: Sequence[Change]) -> tuple[str, Tone]:
    """Return whether any change is real; a real loss takes precedence."""
    real = [change.loss for change in changes if change.is_real and change.loss is not None]
    if any(loss > 0 for loss in real):
        return "The drop is real", Tone.BAD
    if any(change.loss is None or change.interval is None for change in changes):
        return _UNKNOWN, Tone.UNSURE
    if any(change.is_shown and not change.is_real for change in changes):
        return "Inconclusive", Tone.UNSURE
    return ("The gain is real", Tone.GOOD) if real else ("No drop is shown", Tone.PLAIN)


def _changes(report: CompareReport) -> Iterator[Change]:
    for output in output_names(report):
        for each in worst_runs(report, output):
            metric = verdict_metric(report, output, each.output)
            if metric and metric.change:
                yield metric.change


def _sentences(report: CompareReport, output: str) -> Iterator[str]:
    for each in worst_runs(report, output):
        if each.is_float:
            continue
        metric = verdict_metric(report, output, each.output)
        if metric is None:
            yield _distance(each, report.samples)
        else:
            yield change_sentence(each.name, report.samples, metric)


def _distance(each: StageOutput, samples: int) -> str:
    """Return how far a model's outputs are from float's, for an output without labels."""
    distance = each.output.distance
    if distance is None:
        return f"{each.name} was not compared"
    distances = (
        [] if distance.sqnr_db is None else [f"SQNR {amounts.format_decibels(distance.sqnr_db)}"]
    )
    if distance.agreement is not None:
        distances.insert(0, f"the same class for {amounts.format_percent(distance.agreement)}")
    distances.append(f"max error {amounts.format_three_digits(distance.max_abs_error)}")
    return f"{each.name} against float on {counted(samples, 'sample')}: {', '.join(distances)}"
