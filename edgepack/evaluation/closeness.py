"""How close one output of a model is to the float model's: what budgets and verdicts look at."""

from __future__ import annotations

from dataclasses import dataclass

from edgepack.evaluation.results import (
    ClassLoss,
    Collapse,
    MetricResult,
    OutputResult,
)


@dataclass(frozen=True, kw_only=True)
class Closeness:
    """One output of a model on one interpreter against the float model's, on ``samples`` samples.

    ``metric`` is that of the verdict, with its change; None without labels. The other fields are as
    in :class:`~edgepack.evaluation.scores.Score`.
    """

    samples: int
    metric: MetricResult | None
    class_losses: tuple[ClassLoss, ...]
    agreement: float | None
    sqnr_db: float | None
    max_abs_error: float
    collapse: Collapse | None


def closeness_of(result: OutputResult, metric: str | None, samples: int) -> Closeness | None:
    """Return the closeness of a compared output; None for that of the float model itself.

    ``metric`` is the name of the verdict's metric, None without labels.
    """
    distance = result.distance
    if distance is None:
        return None
    return Closeness(
        samples=samples,
        metric=result.metrics.get(metric or ""),
        class_losses=result.class_losses,
        agreement=distance.agreement,
        sqnr_db=distance.sqnr_db,
        max_abs_error=distance.max_abs_error,
        collapse=distance.collapse,
    )
