"""The verdict: a few words, then whether what is lost is real."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from edgepack.evaluation.drop_sentences import change_sentence, samples_in_words
from edgepack.evaluation.results import Change
from edgepack.metrics.metric import Unit
from edgepack.report.data.comparison import ComparisonReport
from edgepack.report.data.stage_runs import (
    StageOutput,
    all_runs,
    output_names,
    verdict_metric,
    worst_runs,
)
from edgepack.report.document.blocks import Headline, Tone
from edgepack.report.format import amounts

_LIMITS = {
    Unit.FRACTION: "at most {limit:g} {points} may be lost",
    Unit.ERROR: "the error may grow by at most {limit:g} %",
    Unit.DECIBELS: "at most {limit:g} dB may be lost",
    Unit.PLAIN: "at most {limit:g} may be lost",
}


def verdict(report: ComparisonReport) -> Headline:
    """Say what the comparison came to."""
    word, tone = _word(report)
    return Headline(word=word, tone=tone, sentences=verdict_sentences(report))


def verdict_sentences(report: ComparisonReport) -> tuple[str, ...]:
    """Say of each model what it loses, on the interpreter where it loses most, and what failed."""
    outputs = output_names(report)
    told = [
        f"{output}: {sentence}" if len(outputs) > 1 else sentence
        for output in outputs
        for sentence in _sentences(report, output)
    ]
    return (*told, *_failures(report), *_limit(report))


def _word(report: ComparisonReport) -> tuple[str, Tone]:
    if report.passed is not None:
        return ("PASSED", Tone.GOOD) if report.passed else ("FAILED", Tone.BAD)
    if any(run.failure for _, _, run in all_runs(report)):
        return "An interpreter failed", Tone.BAD
    changes = list(_changes(report))
    if not changes:
        why = "It cannot be told" if report.metrics else "Without labels nothing is measured"
        return why, Tone.UNSURE
    return _of_changes(changes)


def _of_changes(changes: Sequence[Change]) -> tuple[str, Tone]:
    """Say whether any change is real; a real loss outweighs all else."""
    real = [change.loss for change in changes if change.is_real and change.loss is not None]
    if any(loss > 0 for loss in real):
        return "The drop is real", Tone.BAD
    if any(change.loss is None or change.interval is None for change in changes):
        return "It cannot be told", Tone.UNSURE
    if any(change.is_shown and not change.is_real for change in changes):
        return "It is not settled", Tone.UNSURE
    return ("The gain is real", Tone.GOOD) if real else ("No drop is shown", Tone.PLAIN)


def _changes(report: ComparisonReport) -> Iterator[Change]:
    for output in output_names(report):
        for each in worst_runs(report, output):
            metric = verdict_metric(report, output, each.output)
            if metric and metric.change:
                yield metric.change


def _sentences(report: ComparisonReport, output: str) -> Iterator[str]:
    for each in worst_runs(report, output):
        if each.is_float:
            continue
        metric = verdict_metric(report, output, each.output)
        if metric is None:
            yield _distance(each, report.samples)
        else:
            yield change_sentence(each.name, report.samples, metric)


def _distance(each: StageOutput, samples: int) -> str:
    """Say how far a model is from float where there are no labels to say more."""
    distance = each.output.distance
    if distance is None:
        return f"{each.name} was not compared"
    said = [] if distance.sqnr_db is None else [f"SQNR {amounts.decibels(distance.sqnr_db)}"]
    if distance.agreement is not None:
        said.insert(0, f"the same class for {amounts.fraction(distance.agreement)}")
    said.append(f"largest error {amounts.plain(distance.max_abs_error)}")
    return f"{each.name} against float on {samples_in_words(samples)}: {', '.join(said)}"


def _failures(report: ComparisonReport) -> Iterator[str]:
    for stage, runtime, run in all_runs(report):
        if run.failure:
            yield f"{stage.name} did not run on {runtime}: {run.failure}"


def _limit(report: ComparisonReport) -> Iterator[str]:
    if report.max_drop is None:
        return
    metrics = [
        metric.unit
        for output in output_names(report)
        for each in worst_runs(report, output)
        if (metric := verdict_metric(report, output, each.output))
    ]
    points = "point" if report.max_drop == 1 else "points"
    told = dict.fromkeys(
        _LIMITS[Unit(unit)].format(limit=report.max_drop, points=points) for unit in metrics
    )
    yield "; ".join(told) or f"a drop of {report.max_drop:g} is allowed"
