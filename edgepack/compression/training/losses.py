"""What fine-tuning minimizes."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgepack.compression.training.task import Training
from edgepack.config.export import DISTILLATION
from edgepack.core.errors import ConfigError
from edgepack.load.allowlist import Kit, kit
from edgepack.load.keras_model import KerasModel
from edgepack.metrics import Loss, are_probabilities

_LOOKED_AT = 64  # samples, to tell probabilities from logits
_TEMPERATURE = 4.0
_LEAST = 1e-7  # a probability whose logarithm is still a number


@dataclass(frozen=True, kw_only=True, eq=False)
class TrainingTarget:
    """What an output shall give, shape (samples, ...), and the loss of giving something else.

    In distillation the model as it was before says what is wanted: then ``wanted`` is None.
    """

    wanted: NDArray[Any] | None
    loss: Any


def name_of(loss: Any) -> str:
    """Tell a loss by Keras's name."""
    return str(getattr(loss, "name", None) or loss.__name__)


def training_targets(loaded: KerasModel, training: Training) -> dict[str, TrainingTarget]:
    """Choose what each output is taught, by its name; outputs that are not are left out.

    Raises :class:`ConfigError` for a loss that Keras does not know.
    """
    losses = loaded.keras.losses
    first = loaded.predict([array[:_LOOKED_AT] for array in training.inputs.values()])
    taught = {}
    for position, (output, given) in enumerate(zip(loaded.signature.outputs, first, strict=True)):
        if training.is_distillation:
            taught[output.name] = TrainingTarget(wanted=None, loss=_distilled(losses, given))
            continue
        if output.name not in training.labels:
            continue
        labels, kind = training.labels[output.name], training.losses[output.name]
        loss = _named(losses, training) or _usual(
            losses, kind, _compiled(losses, training, output.name, position), given
        )
        classes = given.shape[-1]
        if kind is Loss.CROSS_ENTROPY and classes > 1 and "sparse" not in name_of(loss):
            labels = np.eye(classes, dtype=np.float32)[labels]
        taught[output.name] = TrainingTarget(wanted=labels, loss=loss)
    return taught


def _named(losses: Any, training: Training) -> Any:
    wanted = training.settings.loss
    if wanted is None:
        return None
    try:
        return losses.get(wanted)
    except (ValueError, TypeError) as error:
        raise ConfigError(
            f"loss {wanted!r}: not one of Keras's; use {DISTILLATION}, or a name such as"
            " mean_squared_error"
        ) from error


_BY_OUTPUT = {"categoricalcrossentropy", "sparsecategoricalcrossentropy", "binarycrossentropy"}
"""Losses that :func:`_usual` chooses too, with or without logits as the outputs are."""


def _compiled(losses: Any, training: Training, output: str, position: int) -> Any:
    """Find the loss of Keras's that an output was compiled with; None if it has none."""
    found = training.compiled.get("loss")
    if isinstance(found, list):
        found = found[position] if position < len(found) else None
    if isinstance(found, dict) and "class_name" not in found:
        found = found.get(output)
    if isinstance(found, str):
        return losses.get(found) if _kit(losses).has(found) else None  # the user's own
    if not isinstance(found, dict):
        return None
    kind = getattr(losses, str(found["class_name"]), None)
    if not isinstance(kind, type) or not issubclass(kind, losses.Loss):
        return None
    config = found.get("config") or {}
    taken = inspect.signature(kind).parameters
    return kind(**{key: config[key] for key in config if key in taken and key in _PLAIN})


def _kit(losses: Any) -> Kit:
    """Give what is known of the Keras whose losses these are."""
    return kit(losses.__name__.partition(".")[0])


_PLAIN = {
    *("from_logits", "label_smoothing", "axis", "delta", "alpha", "gamma"),
    "apply_class_balancing",
}
"""The settings of losses that are numbers."""


def _usual(losses: Any, kind: Loss, compiled: Any, given: NDArray[Any]) -> Any:
    """Take the compiled loss if it goes with the labels, or what goes with them."""
    name = "" if compiled is None else name_of(compiled).replace("_", "").lower()
    if kind is Loss.MEAN_SQUARED_ERROR:
        return losses.MeanSquaredError() if not name or "sparse" in name else compiled
    if name and name not in _BY_OUTPUT and ("entropy" in name or "hinge" in name):
        return compiled
    # By what the model gives, whatever layers stand behind its softmax or sigmoid.
    from_logits = not are_probabilities(given)
    if given.shape[-1] == 1:
        return losses.BinaryCrossentropy(from_logits=from_logits)
    return losses.SparseCategoricalCrossentropy(from_logits=from_logits)


def _distilled(losses: Any, given: NDArray[Any]) -> Any:
    """Choose how to learn from the outputs of the model before pruning."""
    if not are_probabilities(given):
        return losses.MeanSquaredError()
    if given.shape[-1] == 1 or not np.allclose(given.sum(axis=-1), 1, atol=1e-3):
        return losses.BinaryCrossentropy()
    return _soft_cross_entropy()


def _soft_cross_entropy() -> Callable[[Any, Any], Any]:
    import tensorflow as tf

    def distillation(teacher: Any, student: Any) -> Any:
        """Compare class probabilities softened by a temperature.

        ``-T^2 sum softmax(t / T) log softmax(s / T)`` for the logits t and s (Hinton, Vinyals and
        Dean, "Distilling the knowledge in a neural network", 2015).
        """
        soft, found = (
            tf.math.log(tf.maximum(probabilities, _LEAST)) / _TEMPERATURE
            for probabilities in (teacher, student)
        )
        both = tf.nn.softmax(soft) * tf.nn.log_softmax(found)
        return -(_TEMPERATURE**2) * tf.reduce_sum(both, axis=-1)

    return distillation
