"""The verdict: a few words, then whether what is lost is real."""

from __future__ import annotations

from collections.abc import Iterator

from edgepack.evaluation.results import Change
from edgepack.evaluation.sentences import change_sentence
from edgepack.report import amounts
from edgepack.report.comparison import ComparisonReport
from edgepack.report.page.document import Headline, Tone
from edgepack.report.runs import Seen, all_runs, asked, output_names, worst_runs


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
        return "Without labels nothing is measured", Tone.UNSURE
    shown = [change.loss for change in changes if change.is_shown and change.loss is not None]
    if any(loss > 0 for loss in shown):
        return "The drop is real", Tone.BAD
    if any(change.loss is None or change.interval is None for change in changes):
        return "It cannot be told", Tone.UNSURE
    return ("The gain is real", Tone.GOOD) if shown else ("No drop is shown", Tone.PLAIN)


def _changes(report: ComparisonReport) -> Iterator[Change]:
    for output in output_names(report):
        for each in worst_runs(report, output):
            metric = asked(report, output, each.output)
            if metric and metric.change:
                yield metric.change


def _sentences(report: ComparisonReport, output: str) -> Iterator[str]:
    for each in worst_runs(report, output):
        if each.is_float:
            continue
        metric = asked(report, output, each.output)
        if metric is None:
            yield _distance(each, report.samples)
        elif metric.change:
            yield change_sentence(each.name, report.samples, metric)


def _distance(each: Seen, samples: int) -> str:
    """Say how far a model is from float where there are no labels to say more."""
    distance = each.output.distance
    if distance is None:
        return f"{each.name} was not compared"
    said = [] if distance.sqnr_db is None else [f"SQNR {amounts.decibels(distance.sqnr_db)}"]
    if distance.agreement is not None:
        said.insert(0, f"the same class for {amounts.fraction(distance.agreement)}")
    said.append(f"largest error {amounts.plain(distance.max_abs_error)}")
    return f"{each.name} against float on {amounts.samples(samples)}: {', '.join(said)}"


def _failures(report: ComparisonReport) -> Iterator[str]:
    for stage, runtime, run in all_runs(report):
        if run.failure:
            yield f"{stage.name} did not run on {runtime}: {run.failure}"


def _limit(report: ComparisonReport) -> Iterator[str]:
    if report.max_drop is not None:
        yield (
            f"{report.max_drop:g} may be lost at most: points of a fraction, percent of an error,"
            " else as the metric is"
        )
