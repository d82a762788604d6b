"""What compression made of a model, step by step."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from edgepack.compression import technique
from edgepack.compression.technique import Record
from edgepack.core.codec import as_json
from edgepack.evaluation.scores import Score


@dataclass(frozen=True, kw_only=True)
class StepReport:
    """One step: its technique, what the model is called after it, and how it went.

    ``record`` is the technique's own; ``outputs`` scores the outputs of the model after the step
    against those of the float model as given.
    """

    technique: str
    stage: str
    record: Record
    outputs: dict[str, Score]

    @property
    def told(self) -> tuple[str, ...]:
        """How the step went, for people: a line and what else there is to say."""
        return tuple(technique(self.technique).tell(self.record))

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as report.json has them."""
        return {
            "technique": self.technique,
            "stage": self.stage,
            "record": as_json(self.record),
            "outputs": {name: asdict(score) for name, score in self.outputs.items()},
        }


def last_of(steps: tuple[StepReport, ...], name: str) -> StepReport | None:
    """Find the last step of a technique, if there is one."""
    return next((step for step in reversed(steps) if step.technique == name), None)
