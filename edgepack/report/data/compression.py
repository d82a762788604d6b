"""The steps of a model's compression, and the scores after each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from edgepack.compression import find_technique
from edgepack.compression.technique import StepRecord
from edgepack.core.codec import as_json
from edgepack.evaluation.scores import Score


@dataclass(frozen=True, kw_only=True)
class StepReport:
    """One step of compression.

    ``stage`` is the model's name after the step. ``record`` is the technique's own. ``outputs`` are
    the scores of the model's outputs after the step, compared with the original float model.
    """

    technique: str
    stage: str
    record: StepRecord
    outputs: dict[str, Score]

    @property
    def summary(self) -> tuple[str, ...]:
        """How the step went, in words: one line, then further lines if there are any."""
        return tuple(find_technique(self.technique).describe(self.record))

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as they are in report.json."""
        return {
            "technique": self.technique,
            "stage": self.stage,
            "record": as_json(self.record),
            "outputs": {name: score.to_dict() for name, score in self.outputs.items()},
        }


def last_step_of(steps: tuple[StepReport, ...], name: str) -> StepReport | None:
    """Return the last step with the technique of that name; None if there is none."""
    return next((step for step in reversed(steps) if step.technique == name), None)
