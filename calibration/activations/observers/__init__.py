"""Range observers, one file each: they choose an activation's range from its statistics.

An observer is a frozen dataclass that implements the protocol below. To add one, add its file and
its entry in :data:`OBSERVERS`.
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
from edgepack.core.wording import did_you_mean


class Observer(Protocol):
    """Chooses the range of an activation.

    ``needs_histogram`` is true if it needs more than the minimum, the maximum and their averages.
    """

    needs_histogram: ClassVar[bool]

    def range(self, statistics: Sequence[Statistics]) -> tuple[float, float]:
        """Return the smallest and the largest value to represent, within the observed range.

        ``statistics`` are of one activation, or of all that must share a scale.
        """


@dataclass(frozen=True, kw_only=True)
class _Kind:
    """How to make an observer; ``parameter`` is the name of its number, if it has one."""

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


def make_observer(text: str) -> Observer:
    """Make an observer from its name and, after a colon, its number, such as ``percentile:99.9``.

    Raises :class:`ConfigError` for an unknown name and an invalid number.
    """
    name, colon, number = text.partition(":")
    kind = OBSERVERS.get(name)
    if kind is None:
        raise ConfigError(
            f"unknown observer {name!r}: {did_you_mean(name, OBSERVERS)}known observers:"
            f" {', '.join(OBSERVERS)}"
        )
    if not colon:
        return kind.make()
    if kind.parameter is None:
        raise ConfigError(f"observer {text!r}: {name} takes no number; write {name}")
    try:
        return kind.make(float(number))
    except ValueError as error:
        message = f"write {name}:NUMBER" if "could not convert" in str(error) else error
        raise ConfigError(f"observer {text!r}: {message}") from None
