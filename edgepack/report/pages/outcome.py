"""The headline of the pages of exports and validations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from edgepack.calibration.lint import LintFinding
from edgepack.config.budgets import Budgets
from edgepack.evaluation.scores import Comparison
from edgepack.report.data.target import (
    FAILED,
    NOT_CHECKED,
    NOT_SHOWN,
    PASSED,
    TargetReport,
    outcome_on,
)
from edgepack.report.document.blocks import Headline, Tone
from edgepack.report.sections.notes import warnings_among
from edgepack.report.text.verdict_line import verdict_clauses

_TONES = {
    FAILED: Tone.BAD,
    NOT_CHECKED: Tone.UNSURE,
    NOT_SHOWN: Tone.UNSURE,
    PASSED: Tone.GOOD,
}


def outcome_headline(
    targets: Mapping[str, TargetReport],
    comparison: Comparison | None,
    budgets: Mapping[str, Budgets],
    lint: Sequence[LintFinding] = (),
    notes: Sequence[str] = (),
) -> Headline:
    """Return the outcome on all targets, and the verdict and the warnings among notes."""
    word = outcome_on(targets, budgets)
    outcome, *others = verdict_clauses(targets, comparison, budgets, lint)
    where = outcome[len(word) :].lstrip()  # the word itself is the headline
    sentences = (where[:1].upper() + where[1:], *others, *warnings_among(notes))
    return Headline(word=word.upper(), tone=_TONES.get(word, Tone.PLAIN), sentences=sentences)
