"""The difference of two reports: which figures became better or worse.

:mod:`edgepack.report.text.diff` writes it as text.
"""

from __future__ import annotations

import math
import re
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from edgepack.core.schema_version import SCHEMA
from edgepack.report.differences.figure_kinds import (
    REASONS,
    Figure,
    FigureKind,
    Group,
    Plain,
    Value,
)

BETTER, WORSE, DIFFERENT, SAME = "better", "worse", "different", "same"
ONLY_A, ONLY_B = "only in A", "only in B"
_VERDICTS = (WORSE, BETTER, DIFFERENT, ONLY_A, ONLY_B, SAME)
_NOISE = 1e-9  # relative
_NUMBER = re.compile(r"(?<![\w.])\d[\d,.]*")


@dataclass(frozen=True, kw_only=True)
class Side:
    """One of the two reports: its file, its kind, the model, and the samples that it ran on.

    ``data`` is what kind of samples they are, ``samples`` how many.
    """

    file: str
    kind: str
    model: str | None
    data: str | None
    samples: float | None


@dataclass(frozen=True, kw_only=True)
class DifferenceRow:
    """A figure of both reports; ``a`` or ``b`` is None if that report lacks it.

    ``verdict`` is ``better``, ``worse``, ``same``, ``different`` (if neither is better), ``only in
    A`` or ``only in B``.
    """

    group: Group
    what: str
    kind: FigureKind
    a: Plain
    b: Plain
    verdict: str

    @property
    def change(self) -> float | None:
        """The change from A to B, in the unit of the kind; None for text."""
        if isinstance(self.a, (int, float)) and isinstance(self.b, (int, float)):
            return self.b - self.a
        return None

    @property
    def percent(self) -> float | None:
        """The change in percent of A; None if A is 0, and for decibels."""
        if self.change is None or not isinstance(self.a, (int, float)) or self.kind.unit == "dB":
            return None
        percent = 100 * self.change / abs(self.a) if self.a else math.inf
        return percent if math.isfinite(percent) else None

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as they are in JSON."""
        return {
            "group": self.group.value,
            "what": self.what,
            "unit": self.kind.unit,
            "a": self.a,
            "b": self.b,
            "change": self.change,
            "percent": self.percent,
            "verdict": self.verdict,
        }


@dataclass(frozen=True, kw_only=True)
class DiffReport:
    """All figures of two reports, including unchanged ones, the most important first."""

    a: Side
    b: Side
    rows: tuple[DifferenceRow, ...]

    def count(self, verdict: str) -> int:
        """Return the number of rows with a verdict."""
        return sum(row.verdict == verdict for row in self.rows)

    @property
    def exit_status(self) -> int:
        """0: nothing became worse, 1: something did."""
        return 1 if self.count(WORSE) else 0

    def to_dict(self) -> dict[str, Any]:
        """Return the content of the JSON that ``edgepack diff --json`` prints."""
        return {
            "schema": SCHEMA,
            "a": asdict(self.a),
            "b": asdict(self.b),
            "counts": {word: self.count(word) for word in _VERDICTS},
            "rows": [row.to_dict() for row in self.rows],
        }


def compare_figures(a: Iterable[Figure], b: Iterable[Figure]) -> tuple[DifferenceRow, ...]:
    """Compare the figures of two reports that have the same name."""
    before, after = ({figure.what: figure for figure in figures} for figures in (a, b))
    rows = [row for what in before | after for row in _rows(before.get(what), after.get(what))]
    return tuple(sorted(rows, key=lambda row: list(Group).index(row.group)))


def _rows(a: Figure | None, b: Figure | None) -> Iterator[DifferenceRow]:
    """Return the row of a figure that at least one report has, or a row for each text of a set."""
    figure = a or b
    assert figure is not None  # noqa: S101 (at least one report has it)
    old, new = a.value if a else None, b.value if b else None
    is_set = isinstance(figure.value, tuple)
    checks = {**(a.checks if a else {}), **(b.checks if b else {})}
    alike = (_without_numbers, checks.get) if figure.kind is REASONS else ()
    for before, after in _pairs(old, new, alike):
        if before is not None or after is not None:
            yield DifferenceRow(
                group=figure.group,
                what=figure.what,
                kind=figure.kind,
                a=before,
                b=after,
                verdict=_verdict(figure.kind, before, after, is_set=is_set),
            )


def _pairs(
    old: Value, new: Value, alike: Sequence[Callable[[str], str | None]]
) -> list[tuple[Plain, Plain]]:
    """Pair values; in sets, texts that are equal, or that one of the functions maps to the same.

    A set that only one report has gives no pairs: its target has a row, only in A or only in B.

    >>> _pairs(("fails", "takes 5 B"), ("takes 7 B", "takes 9 B"), [_without_numbers])
    [('takes 5 B', 'takes 7 B'), ('fails', None), (None, 'takes 9 B')]
    """
    if not (isinstance(old, tuple) or isinstance(new, tuple)):
        return [(old, new)]
    if not (isinstance(old, tuple) and isinstance(new, tuple)):
        return []
    kept = set(old) & set(new)
    pairs: list[tuple[Plain, Plain]] = [(text, text) for text in sorted(kept)]
    removed, added = (
        [text for text in dict.fromkeys(texts) if text not in kept] for texts in (old, new)
    )
    for key in alike:
        waiting = defaultdict[str, deque[str]](deque)
        for text in added:
            if (name := key(text)) is not None:
                waiting[name].append(text)
        matches = {
            text: waiting[name].popleft()
            for text in removed
            if (name := key(text)) is not None and waiting[name]
        }
        pairs += matches.items()
        removed = [text for text in removed if text not in matches]
        added = [text for text in added if text not in matches.values()]
    return pairs + [(text, None) for text in removed] + [(None, text) for text in added]


def _without_numbers(reason: str) -> str:
    """Return a reason with its numbers, but not those in names, replaced.

    >>> _without_numbers("conv2d_1 takes 22,832 of 20,000 bytes")
    'conv2d_1 takes # of # bytes'
    """
    return _NUMBER.sub("#", reason)


def _verdict(kind: FigureKind, a: Plain, b: Plain, *, is_set: bool) -> str:
    """Return the verdict on a figure, or on a text of a set."""
    if a is None or b is None:
        if kind is REASONS:
            return WORSE if a is None else BETTER
        return DIFFERENT if is_set else ONLY_B if a is None else ONLY_A
    if isinstance(a, str) or isinstance(b, str):
        if a == b:
            return SAME
        ranks = list[Plain](kind.ranks)
        are_ranked = a in ranks and b in ranks
        return _direction(ranks.index(b) - ranks.index(a)) if are_ranked else DIFFERENT
    if kind.show(a) == kind.show(b) or math.isclose(a, b, rel_tol=_NOISE):
        return SAME  # reports print the same
    return _direction(kind.better * (b - a))


def _direction(gain: float) -> str:
    return BETTER if gain > 0 else WORSE if gain < 0 else DIFFERENT
