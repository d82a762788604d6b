"""The report of ``edgepack study``: scores with weights in fixed point, by number of bits."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from edgepack.core.schema_version import SCHEMA
from edgepack.evaluation.scores import Score


@dataclass(frozen=True, kw_only=True)
class Simulated:
    """A simulated model: bits and rounding of its weights, and scores by output."""

    bits: int
    rounding: str
    outputs: dict[str, Score]


@dataclass(frozen=True, kw_only=True)
class StudyReport:
    """A float model on LiteRT, and the same with its weights in fewer bits.

    ``metrics`` and ``float_values`` are by output; None for an output without labels. ``seed`` is
    that of stochastic rounding.
    """

    model: str
    samples: int
    seed: int
    metrics: dict[str, str | None]
    float_values: dict[str, float | None]
    simulated: tuple[Simulated, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return the content of study.json."""
        return (
            {"schema": SCHEMA} | asdict(self) | {"simulated": [asdict(s) for s in self.simulated]}
        )
