"""Range observers, one file each: what was seen of an activation in, its range out.

An observer is a frozen dataclass with the protocol below. Adding one is adding its file, and its
entry to :data:`OBSERVERS`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol

from edgepack.calibration.activations.activation_statistics import Statistics
from edgepack.calibration.activations.observers.entropy import Entropy
from edgepack.calibration.activations.observers.min_max import MinMax
from edgepack.calibration.activations.observers.minimal_error import MinimalError
from edgepack.calibration.activations.observers.moving_average import MovingAverages
from edgepack.calibration.activations.observers.percentile import Percentile
from edgepack.core.errors import ConfigError


class Observer(Protocol):
    """Chooses the range of an activation.

    ``needs_histogram`` says whether the minimum, the maximum and their averages are not enough.
    """

    needs_histogram: ClassVar[bool]

    def range(self, seen: Sequence[Statistics]) -> tuple[float, float]:
        """Choose the least and the largest value to represent, within what was seen.

        ``seen`` has one activation, or all those that must share a scale.
        """


@dataclass(frozen=True, kw_only=True)
class _Kind:
    """How an observer is made; ``parameter`` names its number, if it takes one."""

    make: Callable[..., Observer]
    parameter: str | None = None


OBSERVERS = {
    "min-max": _Kind(make=MinMax),
    "moving-average": _Kind(make=MovingAverages),
    "percentile": _Kind(make=Percentile, parameter="percent"),
    "mse": _Kind(make=MinimalError),
    "lp": _Kind(make=lambda power=2.4: MinimalError(power), parameter="power"),
    "entropy": _Kind(make=Entropy),
}


def observer(text: str) -> Observer:
    """Make an observer by its name, and after a colon its number, such as ``percentile:99.9``.

    Raises :class:`ConfigError` for a name that is none, or a number that does not fit.
    """
    name, colon, number = text.partition(":")
    kind = OBSERVERS.get(name)
    if kind is None:
        raise ConfigError(f"unknown observer {name!r}: known observers: {', '.join(OBSERVERS)}")
    if not colon:
        return kind.make()
    if kind.parameter is None:
        raise ConfigError(f"observer {text!r}: {name} takes no number; write {name}")
    try:
        return kind.make(float(number))
    except ValueError as error:
        why = f"write {name}:NUMBER" if "could not convert" in str(error) else error
        raise ConfigError(f"observer {text!r}: {why}") from None
