"""Magnitude pruning as a compression technique, and its description in reports."""

from __future__ import annotations

from collections.abc import Iterator

from edgepack.compression.pruning.settings import Prune, Pruning
from edgepack.compression.technique import Compressed, CompressionTask, ModelForm, Technique
from edgepack.core.packages import TF_KERAS, TFMOT


class MagnitudePruning(Technique):
    """Magnitude pruning by TFMOT: with fine-tuning, or in one shot."""

    name = Prune.technique
    stage = "pruned"
    settings = Prune
    record = Pruning
    forms = frozenset({ModelForm.KERAS, ModelForm.TFLITE})
    packages = (TFMOT, TF_KERAS)

    def apply(self, task: CompressionTask, settings: Prune) -> Compressed:
        """Set the smallest weights of a Keras model, or of a .tflite file, to zero."""
        from edgepack.compression.pruning.prune import prune
        from edgepack.compression.pruning.prune_tflite import prune_tflite
        from edgepack.load.tflite_file import TfliteFile

        if isinstance(task.model, TfliteFile):
            return prune_tflite(task.model, settings)
        return prune(task, settings)

    def describe(self, record: Pruning) -> Iterator[str]:
        """Describe how weights were pruned and the model was trained."""
        how = f"fine-tuned {record.trained}" if record.trained else "in one shot, not fine-tuned"
        yield f"{_WAYS[record.way]}; {how}"
        if record.why_not_carried:
            yield f"not rebuilt in tf-keras: {record.why_not_carried}"


PRUNING = MagnitudePruning()

_WAYS = {
    "wrappers": "by TFMOT",
    "carried": "by TFMOT, rebuilt in tf-keras",
    "callback": "by TFMOT's schedules and masks on the model itself",
    "file": "by TFMOT's masks on the file's weights",
    "threshold": "by a threshold",
}
