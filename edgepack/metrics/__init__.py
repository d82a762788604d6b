"""Metrics: how good a model's outputs are, as one number."""

from edgepack.metrics.metric import Family, Loss, Measure, Metric, Rows, Unit
from edgepack.metrics.predicted_classes import (
    are_probabilities,
    class_count,
    classes,
    decision_boundary,
)
from edgepack.metrics.records import Records, record_array
from edgepack.metrics.registry import (
    METRICS,
    companions,
    find,
    lessons,
    listed,
    measures,
    require_known,
)

__all__ = [
    "METRICS",
    "Family",
    "Loss",
    "Measure",
    "Metric",
    "Records",
    "Rows",
    "Unit",
    "are_probabilities",
    "class_count",
    "classes",
    "companions",
    "decision_boundary",
    "find",
    "lessons",
    "listed",
    "measures",
    "record_array",
    "require_known",
]
