"""The last line of exports and validations: where the model runs, and what quantization costs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from edgepack.calibration.lint import LintFinding
from edgepack.config.budgets import Budgets
from edgepack.config.validate import RANDOM
from edgepack.core.wording import brief, counted
from edgepack.evaluation.drop_sentences import change_sentence, loss_clause
from edgepack.evaluation.lost_channels import worst_channels
from edgepack.evaluation.scores import Comparison, OutputComparison
from edgepack.report.data.target import (
    EXIT_STATUS,
    FAILED,
    NOT_CHECKED,
    NOT_SHOWN,
    PASSED,
    TargetReport,
    good_word,
)
from edgepack.report.format.amounts import (
    format_four_decimals,
    format_kept_budgets,
    format_percent,
    format_three_digits,
)
from edgepack.report.format.text_table import list_names
from edgepack.report.sections.notes import warnings_among


def verdict_line(
    targets: Mapping[str, TargetReport],
    comparison: Comparison | None,
    budgets: Mapping[str, Budgets],
    lint: Sequence[LintFinding] = (),
    notes: Sequence[str] = (),
) -> str:
    """Return the clauses of the verdict as one line, with what the warnings among notes say."""
    clauses = verdict_clauses(targets, comparison, budgets, lint)
    return "; ".join([*clauses, *map(brief, warnings_among(notes))])


def verdict_clauses(
    targets: Mapping[str, TargetReport],
    comparison: Comparison | None,
    budgets: Mapping[str, Budgets],
    lint: Sequence[LintFinding] = (),
) -> Iterator[str]:
    """Yield on which targets the model runs, what it loses, whether by chance, and what lint found.

    Only a model with ``budgets`` for what it may lose can pass; they are by source.
    """
    yield _outcome(targets, budgets)
    yield from _losses(comparison, is_judged=_keeps_max_drop(targets, budgets))
    yield from _budgets(targets, budgets)
    if lint:
        yield f"the linter warns of {list_names(list(dict.fromkeys(each.rule for each in lint)))}"


def _keeps_max_drop(targets: Mapping[str, TargetReport], budgets: Mapping[str, Budgets]) -> bool:
    """Whether the model passed, and the loss was judged by a limit, which the line then repeats."""
    return _pass(targets) and any(each.max_drop is not None for each in budgets.values())


def _pass(targets: Mapping[str, TargetReport]) -> bool:
    return all(target.verdict.passed for target in targets.values())


def _outcome(targets: Mapping[str, TargetReport], budgets: Mapping[str, Budgets]) -> str:
    outcomes: dict[tuple[str, str], list[str]] = {}
    for name, target in sorted(targets.items(), key=_gravity):
        if target.word != PASSED:
            outcomes.setdefault((target.word.upper(), _why(target)), []).append(name)
    good = len(targets) - sum(map(len, outcomes.values()))
    word = good_word(budgets)
    if not outcomes:
        return f"{word.upper()} on {counted(len(targets), 'target')}"
    clauses = [f"{each} on {list_names(names)}{why}" for (each, why), names in outcomes.items()]
    return "; ".join([*clauses, *([f"{word} on {good} of {len(targets)}"] if good else [])])


def _gravity(named: tuple[str, TargetReport]) -> int:
    """Return a key that sorts targets by their outcome, the gravest first."""
    return list(EXIT_STATUS).index(named[1].word)


def _why(target: TargetReport) -> str:
    """Return why a target has an outcome: the first failure, or what is not shown or not there."""
    if target.word == NOT_CHECKED:
        # Of what is missing, the sentence begins with the name.
        lacks = dict.fromkeys(each.partition(": ")[0] for each in target.verdict.missing)
        return f" ({', '.join(lacks)})"
    if target.word == NOT_SHOWN:
        limits = dict.fromkeys(each.budget for each in target.verdict.undecided if each.budget)
        return f" to be within {list_names(list(limits))}"
    failures = [each for result in target.verdict.results for each in result.failures]
    if target.word != FAILED or not failures:
        return ""
    more = f" (and {len(failures) - 1} more)" if len(failures) > 1 else ""
    return f": {failures[0].message}{more}"


def _losses(comparison: Comparison | None, *, is_judged: bool) -> Iterator[str]:
    """Return what each output loses, on the interpreter where it loses most."""
    if comparison is None:
        yield "there is no float model to compare with"
        return
    if comparison.data == RANDOM:
        yield "what it loses was not measured: it ran on random inputs"
        return
    for name, output in comparison.outputs.items():
        if not output.quantized:
            yield f"no interpreter ran the {comparison.scheme} model"
            return
        sentence = _loss(output, comparison, is_judged=is_judged)
        if worst := worst_channels(output.channels.values()):
            sentence += f"; worst {worst}"
        yield f"output {name}: {sentence}" if len(comparison.outputs) > 1 else sentence


def _loss(output: OutputComparison, comparison: Comparison, *, is_judged: bool) -> str:
    """Return what an output loses, and unless that ``is_judged``, what the samples show of it."""
    losses = {
        runtime: change.loss
        for runtime, score in output.quantized.items()
        if (change := score.change) is not None and change.loss is not None
    }
    if not losses:
        return _without_change(output, comparison)
    runtime = max(losses, key=lambda name: losses[name])
    metric = output.metric_result(runtime)
    assert metric is not None  # noqa: S101 (it has a change)
    samples = output.closeness(runtime, comparison.samples).samples
    value, of_float = map(format_four_decimals, (metric.value, output.float_value_on(runtime)))
    sentence = (
        loss_clause(comparison.scheme, metric)
        if is_judged
        else change_sentence(comparison.scheme, samples, metric)
    )
    return f"{metric.title} {value} ({runtime}), float {of_float}: {sentence}"


def _without_change(output: OutputComparison, comparison: Comparison) -> str:
    """Return why there is no loss of a metric, and how far the output is from float's."""
    results = ((name, output.metric_result(name)) for name in output.quantized)
    for runtime, metric in results:
        if metric is not None:
            samples = output.closeness(runtime, comparison.samples).samples
            sentence = change_sentence(comparison.scheme, samples, metric)
            return f"{sentence}; {_distance(output, comparison)}"
    return _distance(output, comparison, "no labels")


def _distance(output: OutputComparison, comparison: Comparison, *remarks: str) -> str:
    """Return how far an output is from float's, on the worst interpreter."""
    runtime, worst = max(output.quantized.items(), key=lambda each: each[1].mean_abs_error)
    figures = [f"max error {format_three_digits(worst.max_abs_error)}"]
    if worst.sqnr_db is not None:
        figures.insert(0, f"SQNR {worst.sqnr_db:.1f} dB")
    if worst.agreement is not None:
        figures.insert(0, f"agrees with float on {format_percent(worst.agreement)}")
    total = ", ".join([counted(comparison.samples, f"{comparison.data} sample"), *remarks])
    return f"{comparison.scheme} on {runtime}: {', '.join(figures)} ({total})"


def _budgets(targets: Mapping[str, TargetReport], budgets: Mapping[str, Budgets]) -> Iterator[str]:
    """Return which budgets are kept, if all of them are."""
    if _pass(targets):
        findings = [each for target in targets.values() for each in target.verdict.findings]
        yield from format_kept_budgets(budgets, findings)
