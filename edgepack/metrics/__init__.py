"""Metrics, which rate a model's outputs against ground truth as a single number."""

from edgepack.metrics.label_notes import label_notes
from edgepack.metrics.metric import Family, Loss, Measure, Metric, Rows, Unit
from edgepack.metrics.predicted_classes import (
    are_probabilities,
    class_count,
    decision_boundary,
    predicted_classes,
)
from edgepack.metrics.records import RecordArray, record_array
from edgepack.metrics.registry import (
    METRICS,
    choose_measures,
    choose_training_measures,
    find_built_in_metric,
    find_metric,
    metrics_to_report,
    require_known_metric,
)

__all__ = [
    "METRICS",
    "Family",
    "Loss",
    "Measure",
    "Metric",
    "RecordArray",
    "Rows",
    "Unit",
    "are_probabilities",
    "choose_measures",
    "choose_training_measures",
    "class_count",
    "decision_boundary",
    "find_built_in_metric",
    "find_metric",
    "label_notes",
    "metrics_to_report",
    "predicted_classes",
    "record_array",
    "require_known_metric",
]
