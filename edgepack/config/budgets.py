"""Budgets: what a model may lose by quantization, and the memory and time that it may take."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from edgepack.config.checked_settings import Settings
from edgepack.config.known_words import require_one_of
from edgepack.config.tables import checked_values, require_known, require_table
from edgepack.core.errors import ConfigError

PASSES, FAILS = "passes", "fails"
LOSS_BUDGETS = ("max_drop", "max_class_drop", "min_agreement", "min_sqnr")
"""The budgets that need a float model to compare with."""

_ALL_PERCENT = 100


@dataclass(frozen=True, kw_only=True)
class Budgets(Settings):
    """Limits set by the user; None means no limit.

    ``max_drop`` limits the loss of the metric caused by quantization: percentage points for a
    fraction such as accuracy, percent for an error, decibels, or else the amount by which the
    metric worsens. ``max_class_drop`` limits the loss of recall of every class, in percentage
    points. Both are judged by the 95% confidence interval of the loss: what the samples show to be
    neither within the limit nor beyond it is not shown, unless ``not_shown`` says that it
    ``passes`` or ``fails``. ``min_agreement`` is the smallest agreement of the predicted classes
    with the float model's, in percent, ``min_sqnr`` the smallest signal-to-quantization-noise ratio
    of an output, in dB.

    ``max_flash`` is in bytes, for model and runtime together. ``max_arena`` is in bytes and limits
    the smallest arena in which TensorFlow Lite Micro can start on the device.
    ``max_latency_ratio`` is the model's latency divided by its float model's, on this machine.
    Raises :class:`ConfigError` for a limit that is negative, infinite or NaN, for an agreement that
    is no percentage, and for another ``not_shown``.
    """

    max_drop: float | None = None
    max_class_drop: float | None = None
    min_agreement: float | None = None
    min_sqnr: float | None = None
    not_shown: str | None = None
    max_flash: int | None = None
    max_arena: int | None = None
    max_latency_ratio: float | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in LIMITS:
            limit = getattr(self, name)
            if limit is not None and not 0 <= limit < math.inf:
                raise ConfigError(f"{name} {limit}: must be 0 or greater, and finite")
        agreement = self.min_agreement
        if agreement is not None and (agreement > _ALL_PERCENT or 0 < agreement <= 1):
            raise ConfigError(
                f"min_agreement {agreement:g}: must be a percentage up to {_ALL_PERCENT}, such as"
                f" {agreement * _ALL_PERCENT if agreement <= 1 else 98:g}"
            )
        if self.not_shown is not None:
            require_one_of("not_shown", self.not_shown, (PASSES, FAILS))

    @property
    def given(self) -> dict[str, Any]:
        """What is set, by name."""
        return {name: value for name, value in vars(self).items() if value is not None}

    @property
    def limits_drop(self) -> bool:
        """Whether there is a limit that is judged by an interval."""
        return self.max_drop is not None or self.max_class_drop is not None

    @property
    def limits_loss(self) -> bool:
        """Whether there is a limit of what quantization may lose."""
        return any(getattr(self, name) is not None for name in LOSS_BUDGETS)


LIMITS = tuple(field.name for field in fields(Budgets) if field.name != "not_shown")
"""The names of the limits."""


def strictest(budgets: Iterable[Budgets]) -> Budgets:
    """Return the strictest of each limit; what is not shown fails if any of the budgets says so.

    >>> both = strictest([Budgets(max_drop=2, min_sqnr=20), Budgets(max_drop=1, min_sqnr=10)])
    >>> both.max_drop, both.min_sqnr
    (1.0, 20.0)
    """
    given = list(budgets)
    values: dict[str, Any] = {}
    for name in LIMITS:
        limits = [limit for each in given if (limit := getattr(each, name)) is not None]
        choose = max if name.startswith("min_") else min
        values[name] = choose(limits, default=None)
    handlings = {each.not_shown for each in given} - {None}
    return Budgets(not_shown=FAILS if FAILS in handlings else next(iter(handlings), None), **values)


def share_not_shown(budgets: Mapping[str, Budgets]) -> dict[str, Budgets]:
    """Return the budgets, those without a ``not_shown`` with that of the first that has one.

    >>> shared = share_not_shown({"the command": Budgets(not_shown="passes"), "a": Budgets()})
    >>> shared["a"].not_shown
    'passes'
    """
    usual = next((each.not_shown for each in budgets.values() if each.not_shown), None)
    return {
        source: replace(each, not_shown=each.not_shown or usual) for source, each in budgets.items()
    }


def parse_budgets(table: Any) -> Budgets:
    """Parse a ``[budgets]`` table.

    Raises :class:`~edgepack.core.errors.TableError` for an unknown key or a value of another type,
    and :class:`ConfigError` as :class:`Budgets` does.
    """
    budgets = require_table("budgets", table)
    require_known(budgets, [field.name for field in fields(Budgets)], "[budgets] knows the keys")
    return Budgets(**checked_values(Budgets, budgets))
