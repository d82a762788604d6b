"""Wording that messages of several packages share."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

WARNING = "warning: "
"""The start of a note about a likely mistake: a clause that can stand alone, ": " and the rest."""


def counted(many: int, thing: str) -> str:
    """Return a count with its noun, in the plural unless it is 1.

    >>> counted(1, "label"), counted(1000, "label")
    ('1 label', '1,000 labels')
    """
    return f"1 {thing}" if many == 1 else f"{many:,} {thing}s"


def brief(warning: str) -> str:
    """Return the clause of a warning that can stand alone.

    >>> brief("warning: the weights differ: those of all layers; compare it with another")
    'warning: the weights differ'
    """
    return WARNING + warning.removeprefix(WARNING).partition(": ")[0]


_SIMILARITY = 0.6  # of difflib: "int9" is asked whether it is "int8", "cnn" not


def did_you_mean(word: object, known: Iterable[str]) -> str:
    """Ask for the most similar of the known words, before they are listed; empty without one.

    ``word`` is what was given, which from Python may be no text.

    >>> did_you_mean("minmax", ["min-max", "mse"])
    "did you mean 'min-max'? "
    >>> did_you_mean("INT8", ["int16", "int8"])
    "did you mean 'int8'? "
    >>> did_you_mean("x", ["min-max", "mse"]), did_you_mean(8, ["min-max", "mse"])
    ('', '')
    """
    spelled = {each.lower(): each for each in known}
    near = difflib.get_close_matches(str(word).lower(), spelled, n=1, cutoff=_SIMILARITY)
    return f"did you mean {spelled[near[0]]!r}? " if near else ""


def choose_one_of(word: object, known: Iterable[str]) -> str:
    """Ask for the most similar of the known words, as :func:`did_you_mean`, and list them.

    >>> choose_one_of("minmax", ["min-max", "mse"])
    "did you mean 'min-max'? choose one of min-max, mse"
    """
    words = [*known]
    return f"{did_you_mean(word, words)}choose one of {', '.join(words)}"
