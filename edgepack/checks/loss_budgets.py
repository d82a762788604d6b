"""Checks of the budgets for what quantization may lose against the float model."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

from edgepack.checks.evidence import Evidence
from edgepack.config.budgets import FAILS, PASSES, Budgets, share_not_shown
from edgepack.core.findings import Finding
from edgepack.core.wording import counted
from edgepack.devices.target import Target
from edgepack.evaluation.closeness import Closeness
from edgepack.evaluation.drop_sentences import class_loss_clause, loss_clause
from edgepack.evaluation.loss_judgement import (
    Judgement,
    judge_interval,
    judge_metric,
    samples_to_decide,
)

_DEBUG = "find the layers that cause it with edgepack debug"

Outputs = Mapping[str, Closeness]
"""The outputs of a model on one interpreter, by what sentences call them."""

LossRule = Callable[[Outputs, str, Budgets], Iterator[Finding]]
"""Judges outputs by budgets, of which messages name the source."""


def drop_is_in_budget(target: Target, evidence: Evidence) -> Iterator[Finding]:
    """The metric loses at most max_drop, as the 95% confidence interval of the loss shows.

    In points, percent of an error, dB, or the unit of the metric.
    """
    yield from _apply(judge_drop, target, evidence)


def class_drop_is_in_budget(target: Target, evidence: Evidence) -> Iterator[Finding]:
    """No class loses more recall than max_class_drop points, as the confidence intervals show."""
    yield from _apply(judge_class_drops, target, evidence)


def agreement_is_in_budget(target: Target, evidence: Evidence) -> Iterator[Finding]:
    """The predicted classes agree with the float model's in at least min_agreement percent."""
    yield from _apply(judge_agreement, target, evidence)


def sqnr_is_in_budget(target: Target, evidence: Evidence) -> Iterator[Finding]:
    """The SQNR of every output is at least min_sqnr, in dB."""
    yield from _apply(judge_sqnr, target, evidence)


def judge_drop(outputs: Outputs, source: str, budgets: Budgets) -> Iterator[Finding]:
    """Judge the loss of the metric by max_drop; outputs without labels have none."""
    limit = budgets.max_drop
    for name, each in outputs.items():
        if limit is None or each.metric is None:
            continue
        change = each.metric.change
        judgement = judge_metric(each.metric, limit, each.max_abs_error)
        if change is None or change.loss is None:
            cure = "test on samples of every class, or with labels that differ"
        else:
            cure = _test_on(samples_to_decide(change, limit, each.samples))
        clause = loss_clause(name, each.metric)
        budget = f"max_drop {limit:g} of {source}"
        yield from _judged(judgement, clause, budget, each.samples, cure, budgets)


def judge_class_drops(outputs: Outputs, source: str, budgets: Budgets) -> Iterator[Finding]:
    """Judge what each class loses by max_class_drop: the class that loses most stands for all.

    Outputs that are the same lose nothing, whatever the samples.
    """
    limit = budgets.max_class_drop
    if limit is None:
        return
    for name, each in outputs.items():
        if each.max_abs_error == 0:
            continue
        for judgement in (Judgement.BEYOND, Judgement.NOT_SHOWN):
            classes = [
                loss
                for loss in each.class_losses
                if judge_interval(loss.interval, limit) is judgement
            ]
            if not classes:
                continue
            worst = max(classes, key=lambda loss: loss.loss)
            clause = class_loss_clause(name, worst)
            if others := len(classes) - 1:
                many = "1 other class" if others == 1 else f"{others:,} other classes"
                clause += f" (likewise {many})"
            budget = f"max_class_drop {limit:g} of {source}"
            which = " of this class"
            cure = _test_on(samples_to_decide(worst, limit, worst.samples), which)
            yield from _judged(judgement, clause, budget, worst.samples, cure, budgets, which)


def judge_agreement(outputs: Outputs, source: str, budgets: Budgets) -> Iterator[Finding]:
    """Judge the agreement of predicted classes by min_agreement, of the outputs that have any."""
    limit = budgets.min_agreement
    if limit is None or not outputs:
        return
    if all(each.agreement is None for each in outputs.values()):
        yield Finding(
            message=f"min_agreement of {source}: no output has class scores to agree on",
            cure="remove the budget, or use min_sqnr",
        )
    budget = f"min_agreement {limit:g} of {source}"
    for name, each in outputs.items():
        if each.agreement is not None and 100 * each.agreement < limit:
            yield Finding(
                message=f"{name} agrees with float on {each.agreement:.2%}, less than {budget}",
                cure=_DEBUG,
                budget=budget,
            )


def judge_sqnr(outputs: Outputs, source: str, budgets: Budgets) -> Iterator[Finding]:
    """Judge the SQNR by min_sqnr; it is infinite for outputs that equal the float model's."""
    limit = budgets.min_sqnr
    for name, each in outputs.items():
        if limit is None or each.max_abs_error == 0:
            continue
        sqnr = -math.inf if each.sqnr_db is None else each.sqnr_db
        budget = f"min_sqnr {limit:g} of {source}"
        if sqnr < limit:
            yield Finding(
                message=f"{name} has an SQNR of {sqnr:.1f} dB, less than {budget}",
                cure=_DEBUG,
                budget=budget,
            )


LOSS_RULES: tuple[LossRule, ...] = (judge_drop, judge_class_drops, judge_agreement, judge_sqnr)
"""Every rule for what quantization may lose."""


def _apply(rule: LossRule, target: Target, evidence: Evidence) -> Iterator[Finding]:
    """Apply a rule to the outputs on the target's interpreters, for every budget."""
    outputs = evidence.outputs(target.interpreters)
    # What compression lost is not found layer by layer.
    is_compressed = evidence.origin is not None and evidence.origin.stage is not None
    for source, budgets in budgets_for(target, evidence):
        for finding in rule(outputs, source, budgets):
            yield replace(finding, cure=None) if is_compressed else finding


def budgets_for(target: Target, evidence: Evidence) -> Iterator[tuple[str, Budgets]]:
    """Yield every budget that applies to a target, with its source."""
    yield from share_not_shown({**evidence.budgets, "the target": target.budgets}).items()


def _test_on(needed: int | None, which: str = "") -> str:
    """Advise to test on the number of samples that would decide a loss, if it is known."""
    return f"test on {f'about {needed:,}' if needed else 'more'} samples{which}"


def _judged(
    judgement: Judgement,
    clause: str,
    budget: str,
    samples: int,
    cure: str,
    budgets: Budgets,
    which: str = "",
) -> Iterator[Finding]:
    """Yield the finding for a loss, which a clause describes; none for one within the limit.

    ``cure`` is how to decide a loss that is not shown; ``which`` says after "samples" which ones
    count, if not all.
    """
    if judgement is Judgement.BEYOND:
        yield Finding(message=f"{clause}, more than {budget}", cure=_DEBUG, budget=budget)
    if judgement is not Judgement.NOT_SHOWN:
        return
    shown = f"{counted(samples, 'sample')}{which} cannot tell whether it is within {budget}"
    message = f"{clause}: {shown}"
    if budgets.not_shown:
        message += f", which {budgets.not_shown}, as requested"
    if budgets.not_shown == PASSES:
        yield Finding(message=message, budget=budget, is_note=True)
        return
    choice = "" if budgets.not_shown else f", or let it pass with --not-shown {PASSES}"
    yield Finding(
        message=message,
        cure=f"{cure}{choice}",
        budget=budget,
        is_undecided=budgets.not_shown != FAILS,
    )
